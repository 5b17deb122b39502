"""Whatever is killed in the middle of a scan, the answer is that of a scan nobody disturbed: real nmap, the emulator.

Each scan asks four addresses of loopback, two a shard, slowly enough to be hit: --scan-delay sends them to the workers.
Where two minutes would have to pass before a dead worker's shard is taken over, the test lets them pass in the table.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from cascan.ids import ReportKey
from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.emulator import GUARD
from cascan_cli.local.endpoint import Endpoint
from cascan_cli.local.fork_server import PROCESS_NAME
from cascan_cli.local.forks import SERVER
from cascan_cli.local.lock import is_held
from cascan_cli.local.state import StateDir
from cascan_cli.local.warm_up import invoke
from on_shard_queued.heartbeat import HEARTBEAT_S
from tests.e2e.cascan_command import Cascan, stack_up
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

ADDRESSES = "127.0.7.0/30"
SERVING = ("127.0.7.1", "127.0.7.2")
SLOW = ["-n", "--scan-delay", "300ms", "--max-retries", "0", "--max-hostgroup", "1"]
PASSING = ("id", "parsed_at", "identified_at", "scan")
SCAN_WITHIN_S = 120


class Stack(Cascan):
    """A stack, what it runs, and its end by force."""

    def client(self, service: Any) -> Any:
        return open_session(self.endpoint()).client(service, **client_options(self.endpoint()))

    def endpoint(self) -> Endpoint:
        return StateDir(self.state_dir).endpoint()

    def output(self, name: str) -> str:
        """Read and not asked for: what looks for a moment of a scan has to be quicker than the scan."""
        deployment = StateDir(self.state_dir).deployment()
        assert deployment
        return deployment.outputs[name]

    def submit(self, port: int) -> str:
        ports = ",".join(map(str, (*range(20, 26), port)))
        one_by_one = {"hostsPerShard": 2, "maxParallelShards": 1}  # so that there is a moment to kill in
        request = {"targets": [ADDRESSES], "parameters": [*SLOW, "-p", ports], **one_by_one}
        accepted = self("submit", "-f", "-", "--no-wait", "--json", stdin=json.dumps(request))
        assert accepted.code == 0, accepted.err
        scan_id: str = accepted.json["id"]
        return scan_id

    def scan(self, scan_id: str) -> dict[str, Any]:
        scans: list[dict[str, Any]] = self("scans", "--json").json
        return next((scan for scan in scans if scan["id"] == scan_id), {"state": "not planned"})

    def answer(self, scan_id: str) -> dict[str, Any]:
        """What came of the scan once it is done, without what differs from one scan to the next."""
        eventually(lambda: self.scan(scan_id)["state"] == "Done" or self.tick(), SCAN_WITHIN_S)
        scan, found = self.scan(scan_id), self("findings", scan_id, "--json").json
        for finding in found:
            finding["attributes"].get("details", {}).pop("times", None)  # round trips, measured
            for name in PASSING:
                finding.pop(name, None)
        findings = sorted(json.dumps(finding, sort_keys=True) for finding in found)
        return {name: scan[name] for name in ("outcome", "hostsUp", "addresses", "findings")} | {"found": findings}

    def tick(self) -> bool:
        """Workers are counted now: a shard that failed comes again after the worker found nothing more to do. False."""
        invoke(self.endpoint(), "OnShardsWaiting")
        return False

    def pids(self, wanted: Callable[[list[str]], bool]) -> list[int]:
        """The stack's processes, by what stands in their command line."""
        mark, found = os.fsencode(self.state_dir), []
        for process in Path("/proc").iterdir():
            with suppress(OSError):  # it ended, or is not ours to see
                if process.name.isdigit() and int(process.name) != os.getpid():
                    line = (process / "cmdline").read_bytes()
                    if mark in line + (process / "environ").read_bytes() and wanted(line.decode().split("\0")):
                        found.append(int(process.name))
        return found

    def scanning(self) -> list[int]:
        """nmap's processes, as soon as there are any."""

        def seen() -> list[int]:
            found = self.nmaps()
            return found if found or self.tick() else []

        return eventually(seen, SCAN_WITHIN_S)

    def nmaps(self) -> list[int]:
        return self.pids(lambda words: Path(words[0]).name == "nmap")

    def workers(self) -> list[int]:
        return self.pids(lambda words: "on_shard_queued.worker" in words and "keeper" not in " ".join(words))

    def lambdas(self) -> list[int]:
        """The functions: forks of the fork server, whose command line they share, and others."""
        forks = [pid for pid in self.fork_servers() if read_name(pid) == PROCESS_NAME]
        return forks + self.pids(lambda words: any(word.endswith("_worker.py") for word in words))

    def fork_servers(self) -> list[int]:
        """The fork server and its forks."""
        return self.pids(lambda words: str(SERVER) in words)

    def emulators(self) -> list[int]:
        return self.pids(lambda words: str(GUARD) in words and "keeper" not in " ".join(words))


def read_name(pid: int) -> bytes:
    """The name of the process; empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_bytes().strip()
    return b""


def kill(pids: list[int]) -> int:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of the module's own, since parts of it are killed."""
    with stack_up(Stack(tmp_path_factory.mktemp("killed"))) as command:
        yield command


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A port that is open on two of the four addresses."""
    with ExitStack() as open_sockets:
        number = 0
        for address in SERVING:
            listener = open_sockets.enter_context(socket.socket())
            listener.bind((address, number))
            listener.listen(50)
            number = listener.getsockname()[1]
        yield number


@pytest.fixture(scope="module")
def undisturbed(stack: Stack, port: int) -> dict[str, Any]:
    answer = stack.answer(stack.submit(port))
    assert (answer["outcome"], answer["hostsUp"]) == ("complete", 4)
    assert sum('"Open Port"' in finding for finding in answer["found"]) == 2
    return answer


def test_nmap_is_killed(stack: Stack, port: int, undisturbed: dict[str, Any]) -> None:
    scan_id = stack.submit(port)
    assert kill(stack.scanning())
    assert stack.answer(scan_id) == undisturbed
    assert failures_of(stack, scan_id) == 1


def test_the_worker_is_killed(stack: Stack, port: int, undisturbed: dict[str, Any]) -> None:
    scan_id = stack.submit(port)
    stack.scanning()
    assert kill(stack.workers())
    eventually(lambda: not stack.nmaps())  # it dies with its worker
    two_minutes_pass(stack, scan_id)
    assert stack.answer(scan_id) == undisturbed
    assert failures_of(stack, scan_id) == 1


def test_the_emulators_lambda_processes_are_killed(stack: Stack, port: int, undisturbed: dict[str, Any]) -> None:
    scan_id = stack.submit(port)
    stack.scanning()
    assert kill(stack.lambdas())
    eventually(lambda: keys(stack, f"reports/{scan_id}/"))
    kill(stack.lambdas())
    for key in keys(stack, f"reports/{scan_id}/"):
        touch(stack, key)  # the event of a report whose reader died comes again
    assert stack.answer(scan_id) == undisturbed


def test_the_whole_emulator_is_killed(stack: Stack, port: int, undisturbed: dict[str, Any]) -> None:
    before = stack.scan(done := stack("scans", "--json").json[0]["id"])
    scan_id = stack.submit(port)
    eventually(lambda: states(stack, scan_id).count("recorded") == 1 or stack.tick(), SCAN_WITHIN_S)
    stack.scanning()
    assert kill(stack.emulators())
    eventually(lambda: not is_held(stack.state_dir / "lock") and not is_held(stack.state_dir / "up.lock"))
    assert not stack.nmaps()

    up = stack("local up")
    assert up.code == 0, up.err
    assert "go on" in up.err
    assert stack.scan(done) == before
    assert stack.scan(scan_id)["shardsOpen"] == 1  # what was recorded is not asked again
    stack.tick()
    assert stack.answer(scan_id) == undisturbed


def test_a_cancelled_scan_stops_nmap_long_before_it_would_end(stack: Stack, port: int) -> None:
    slow = {"targets": [ADDRESSES], "parameters": ["-n", "--scan-delay", "1s", "-p", f"1-200,{port}"]}
    scan_id = stack("submit", "-f", "-", "--no-wait", "--json", stdin=json.dumps(slow)).json["id"]
    stack.scanning()
    assert stack("cancel", scan_id, "--reason", "enough").code == 0
    eventually(lambda: not stack.nmaps(), 4 * HEARTBEAT_S)  # of the thirteen minutes that it would take
    assert stack.scan(scan_id)["state"] == "Cancelled"


def two_minutes_pass(stack: Stack, scan_id: str) -> None:
    """The lease of every running shard runs out, its message comes again, and a worker is started for it."""
    dynamodb, table = stack.client("dynamodb"), stack.output("ScanTableName")
    sqs = stack.client("sqs")
    (queue,) = [url for url in sqs.list_queues()["QueueUrls"] if "ConnectShardQueue" in url]
    for item in items(dynamodb, table, scan_id):
        if item["state"]["S"] == "running":
            dynamodb.update_item(
                TableName=table,
                Key={"pk": item["pk"], "sk": item["sk"]},
                UpdateExpression="SET lease_until = :then",
                ExpressionAttributeValues={":then": {"S": "2020-01-01T00:00:00.000000Z"}},
            )
            number, _, token = item["sk"]["S"].partition("/")
            message = {"scan_id": scan_id, "cause_id": "again", "hop": 0, "shard": int(number), "token": token}
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    eventually(lambda: not stack.workers())
    eventually(lambda: no_task_runs(stack))
    stack.tick()


def no_task_runs(stack: Stack) -> bool:
    cluster = stack.output("ClusterName")
    return not stack.client("ecs").list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]


def failures_of(stack: Stack, scan_id: str) -> int:
    table = stack.output("ScanTableName")
    return max(int(item["failures"]["N"]) for item in items(stack.client("dynamodb"), table, scan_id))


def states(stack: Stack, scan_id: str) -> list[str]:
    table = stack.output("ScanTableName")
    return [item["state"]["S"] for item in items(stack.client("dynamodb"), table, scan_id)]


def items(dynamodb: Any, table: str, scan_id: str) -> list[dict[str, Any]]:
    """The scan's shards."""
    found: list[dict[str, Any]] = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"shard/{scan_id}"}},
        ConsistentRead=True,
    )["Items"]
    return found


def keys(stack: Stack, prefix: str) -> list[str]:
    bucket = stack.output("ReportBucketName")
    answer = stack.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for entry in answer.get("Contents", ())]


def touch(stack: Stack, key: str) -> None:
    bucket = stack.output("ReportBucketName")
    assert ReportKey.parse(key)
    s3 = stack.client("s3")
    metadata = s3.head_object(Bucket=bucket, Key=key)["Metadata"]  # with the proof of its worker
    s3.copy_object(
        Bucket=bucket,
        Key=key,
        CopySource={"Bucket": bucket, "Key": key},
        MetadataDirective="REPLACE",
        Metadata=metadata,
    )
