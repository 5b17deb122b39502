"""The reactions to recorded looks and to results of Vuls, on the stack of this machine, with the real nmap."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.state import StateDir
from tests.e2e.cascan_command import Cascan
from tests.support.message_sink import MessageSink, serve_sink
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
ADDRESS = "127.128.0.81"  # used by no other test
EXPECTED = """
settings: {confirm: true}
expected:  # whatever the other tests have opened
  - {who: 127.0.0.0/9, ports: [1-65535], required: false}
  - {who: "::1", ports: [1-65535], required: false}
"""
CONFIG = b'[servers.web]\nhost = "127.0.0.1"\nport = "local"\n'


class Stack:
    """The clients of the stack, and the events of exposures that its bus sends."""

    def __init__(self, command: Cascan) -> None:
        endpoint = StateDir(command.state_dir).endpoint()
        session, options = open_session(endpoint), client_options(endpoint)
        self.outputs: dict[str, str] = command("local status", "--json").json["outputs"]
        self.sqs, self.s3 = session.client("sqs", **options), session.client("s3", **options)
        self.table = session.resource("dynamodb", **options).Table(self.outputs["ScanTableName"])
        self.heard: list[dict[str, Any]] = []
        self._queue = self.sqs.create_queue(QueueName="exposure-events")["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        events: Any = session.client("events", **options)
        rule = {"Name": "exposure-events", "EventBusName": self.outputs["ScanBusName"]}
        pattern = {"source": ["cascan"], "detail": {"exposure_id": [{"exists": True}]}}
        events.put_rule(**rule, EventPattern=json.dumps(pattern))
        target = {"Id": "exposure-events", "Arn": attributes["QueueArn"]}
        events.put_targets(Rule=rule["Name"], EventBusName=rule["EventBusName"], Targets=[target])

    def listen(self) -> dict[str, str]:
        """The scan that caused an event so far, by the event's type; empty: a person did."""
        received = self.sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            self.sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            self.heard.append(json.loads(message["Body"]))
        return {event["detail-type"]: event["detail"]["scan_id"] for event in self.heard}

    def count_messages(self, queue: str) -> int:
        """How many messages are in the queue or with its function."""
        attributes = self.sqs.get_queue_attributes(
            QueueUrl=self.outputs[queue],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(map(int, attributes.values()))

    def read_object(self, key: str) -> Any:
        """The JSON object. None: there is none."""
        bucket = self.outputs["ReportBucketName"]
        if not self.s3.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount"):
            return None
        return json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def forget_expectations(self) -> None:
        """No file is stored any more, so that the other tests start no reaction."""
        self.table.delete_item(Key={"pk": "stack", "sk": "expectations"})
        self.table.delete_item(Key={"pk": "stack", "sk": "channels"})
        for name in ("expectations", "channels"):
            self.s3.delete_object(Bucket=self.outputs["ReportBucketName"], Key=f"house/{name}.json")


@pytest.fixture
def stack(cascan: Cascan) -> Iterator[Stack]:
    clients = Stack(cascan)
    yield clients
    clients.forget_expectations()


@contextmanager
def bound() -> Iterator[socket.socket]:
    """A port of the address, which is closed until its socket listens."""
    with socket.socket() as server:
        server.bind((ADDRESS, 0))
        yield server


def find_port(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


@pytest.fixture
def sink() -> Iterator[MessageSink]:
    with serve_sink() as sink:
        yield sink


def test_an_unexpected_port_is_confirmed_at_once_and_resolved_after_two_scans_without_it(
    cascan: Cascan, stack: Stack, tmp_path: Path, sink: MessageSink
) -> None:
    file = tmp_path / "exposure.yaml"
    file.write_text(EXPECTED)
    applied = cascan("exposure apply", str(file))
    assert applied.code == 0, applied.err
    channels = tmp_path / "channels.yaml"
    channels.write_text(f"channels: {{sink: {{webhook: '{sink.url}'}}}}")
    assert cascan("messages set", str(channels)).code == 0

    def scan(port: int) -> str:
        ran = cascan("scan", ADDRESS, "--json", nmap=("-n", "-Pn", "-sT", "-p", str(port)))
        assert ran.code == 0, ran.err
        scan_id: str = ran.json["scan"]["id"]
        return scan_id

    with bound() as server:
        server.listen()
        port = find_port(server)
        first = scan(port)
        eventually(lambda: len(stack.listen()) == 2)
        confirmed_by = stack.listen()["ExposureConfirmed"]
        (confirmation,) = [each for each in cascan("scans", "--json").json if each["name"] == "exposure-confirmation"]
        assert (confirmation["id"], confirmation["targets"]) == (confirmed_by, [ADDRESS])
        assert (confirmation["cost"]["spotSeconds"], confirmation["cost"]["onDemandSeconds"]) == (0, 0)  # express lane

        listed = cascan("exposure list", "--state", "confirmed", "--json").json
        (exposure,) = [each for each in listed if each["address"] == ADDRESS]
        assert (exposure["kind"], exposure["port"]) == ("unexpected-open", port)
        eventually(lambda: len(sink.posts) == 1)  # before the next move, or both were one message
        accepted = cascan("exposure accept", exposure["id"], "--until", "9999-01-01", "--why", "a test")
        assert accepted.code == 0, accepted.err

    # Looks carry nmap's times, in seconds: those without the port begin in a later second.
    last_seen = datetime.fromisoformat(exposure["last_seen"])
    eventually(lambda: datetime.now(UTC) >= last_seen + timedelta(seconds=1))
    missed = [scan(port), scan(port)]
    eventually(lambda: "ExposureResolved" in stack.listen())
    why = cascan("why", exposure["id"]).out.decode()
    assert f"{exposure['id']} is resolved" in why
    assert all(scan_id in why for scan_id in (first, confirmed_by, *missed))
    eventually(lambda: stack.count_messages("ExposureQueueUrl") == 0)
    assert stack.count_messages("ExposureDLQUrl") == 0
    resolved_by = stack.listen()["ExposureResolved"]
    assert resolved_by in missed
    assert stack.listen() == {
        "ExposureOpened": first,
        "ExposureConfirmed": confirmed_by,
        "ExposureAccepted": "",
        "ExposureResolved": resolved_by,
    }
    assert len(stack.heard) == 4
    eventually(lambda: len(sink.posts) == 3)
    assert [post.document["step"] for post in sink.posts] == ["confirmed", "accepted", "resolved"]
    assert {post.document["key"] for post in sink.posts} == {f"exposure/{exposure['id']}"}


def test_results_of_vuls_in_the_bucket_are_answered_with_the_ports_that_are_reachable(stack: Stack) -> None:
    bucket = stack.outputs["ReportBucketName"]
    with bound() as listening, bound() as closed:
        listening.listen()
        ports = [
            {"bindAddress": ADDRESS, "port": str(find_port(server)), "portReachableTo": None}
            for server in (listening, closed)
        ]
        process = {"pid": "1", "name": "sshd", "listenPortStats": ports}
        packages = {"openssh": {"name": "openssh", "AffectedProcs": [process]}}
        results = {"jsonVersion": 4, "serverName": "web", "ipv4Addrs": [ADDRESS], "packages": packages}
        stack.s3.put_object(Bucket=bucket, Key="vuls/results/config.toml", Body=CONFIG)
        stack.s3.put_object(Bucket=bucket, Key="vuls/results/2026/web.json", Body=json.dumps(results).encode())
        answer = eventually(lambda: stack.read_object("vuls/answers/2026/web.json"))
    stats = answer["packages"]["openssh"]["AffectedProcs"][0]["listenPortStats"]
    assert [entry["portReachableTo"] for entry in stats] == [[ADDRESS], []]
    eventually(lambda: stack.read_object("vuls/summaries/2026/web.json")["state"] == "done")
    assert stack.count_messages("VulsDLQUrl") == 0
