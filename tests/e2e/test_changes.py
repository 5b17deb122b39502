"""Scans of one series on this machine: what changed between them is told, shown and kept, by the real nmap."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.state import StateDir
from tests.e2e.cascan_command import Cascan
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
ADDRESS = "127.0.0.77"  # nobody else's


@contextmanager
def bound() -> Iterator[socket.socket]:
    """A port that nobody else gets; it is closed until somebody listens."""
    with socket.socket() as server:
        server.bind((ADDRESS, 0))
        yield server


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


class Heard:
    """The events of a scan that a rule of the test's own gets from the bus."""

    def __init__(self, cascan: Cascan) -> None:
        status = cascan("local status", "--json").json
        endpoint = StateDir(cascan.state_dir).endpoint()
        session, options = open_session(endpoint), client_options(endpoint)
        self.sqs = session.client("sqs", **options)
        events: Any = session.client("events", **options)
        self.queue = self.sqs.create_queue(QueueName="changes")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus = status["outputs"]["ScanBusName"]
        pattern = {"source": ["cascan"], "detail": {"address": [ADDRESS]}}
        events.put_rule(Name="changes", EventBusName=bus, EventPattern=json.dumps(pattern))
        events.put_targets(Rule="changes", EventBusName=bus, Targets=[{"Id": "changes", "Arn": arn}])
        self.told: list[tuple[str, int]] = []

    def all_of(self, count: int) -> list[tuple[str, int]] | None:
        messages = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        envelopes = [json.loads(message["Body"]) for message in messages]
        self.told += [(envelope["detail-type"], envelope["detail"]["port"]) for envelope in envelopes]
        return sorted(self.told) if len(self.told) >= count else None


def test_a_port_that_opens_and_one_that_closes_are_told_between_two_scans_and_a_port_not_asked_is_not(
    cascan: Cascan,
) -> None:
    heard = Heard(cascan)

    def scan(*ports: int) -> dict[str, Any]:
        asked = ",".join(str(port) for port in sorted(ports))
        ran = cascan("scan", ADDRESS, "--name", "changing", "--json", nmap=("-n", "-sT", "-p", asked))
        assert ran.code == 0, ran.err
        found: dict[str, Any] = ran.json["scan"]
        return found

    with bound() as staying, bound() as opening:
        stays, opens = port_of(staying), port_of(opening)
        staying.listen()
        with bound() as closing:
            closes = port_of(closing)
            closing.listen()
            assert scan(opens, closes, stays)["changes"] == {}
        opening.listen()
        second = scan(opens, closes)
    assert second["changes"] == {"PortOpened": 1, "PortClosed": 1}

    changes = {change["port"]: change for change in cascan("diff", second["id"], "--json").json}
    assert {port: change["kind"] for port, change in changes.items()} == {opens: "PortOpened", closes: "PortClosed"}
    states = [(changes[port]["before"]["state"], changes[port]["after"]["state"]) for port in (opens, closes)]
    assert states == [("closed", "open"), ("open", "closed")]

    (host,) = cascan("inventory", ADDRESS, "--json").json
    assert {port["port"] for port in host["ports"]} == {opens, stays}
    assert cascan("inventory", "127.0.0.0/8", "--port", str(opens), "--json").json[0]["address"] == ADDRESS
    assert eventually(lambda: heard.all_of(2)) == [("PortClosed", closes), ("PortOpened", opens)]
