"""A live check on fakes: what passes, what fails, and what is honestly not tried."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from cascan.cost.prices import bundled_prices
from cascan.cost.stack_shape import STANDARD_SHAPE
from cascan.ids import ReportKey, derive_keyed_scan_id
from cascan.model.finding import HostFindings
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.model.shard import Lane, Shard, ShardState
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.rates import ScanDefaults
from cascan_cli.commands import doctor
from cascan_cli.doctor.live import run as live_run
from cascan_cli.doctor.live.lines import Verdict, check_line
from cascan_cli.doctor.live.run import LiveCheck, LivePlan
from cascan_cli.doctor.live.scans import (
    LiveRun,
    build_requests,
    estimate_live_cost,
    find_single_target,
)
from cascan_cli.doctor.live.tasks import judge_identity
from cascan_cli.errors import BadInput, CliError
from cascan_cli.main import main
from tests.fakes import MemoryReportStore, MemoryScanTable
from tests.fakes.operator_queue import MemoryOperatorQueue
from tests.integration.gateways.examples import a_finding
from tests.support.builders import NOW, a_run, a_scan, a_shard

NETWORK = "10.0.0.0/24"
SUBMITTER = "me"
ENDED_AT = NOW + timedelta(minutes=31)


class Stack:
    """A stack on which every scan ends at once, as `ends` says."""

    stays_up, is_local, submitter = True, False, SUBMITTER
    outputs = {"ClusterName": "workers"}  # noqa: RUF012 - never changed

    def __init__(self, folder: Path) -> None:
        self.table, self.reports = MemoryScanTable(), MemoryReportStore()
        self.request_queue, self.control_queue = self, Controls()
        self.queues: dict[str, MemoryOperatorQueue] = {}
        self.ends: dict[str, Any] = {}  # fields of each scan
        self.attempts = 1
        self.open_ports: dict[str, tuple[int, ...]] = {}  # by the name of the scan
        self.never_ends: set[str] = set()
        self._report = folder / "report.xml"
        self._report.write_bytes(b"<nmaprun/>")

    def queue(self, name: str) -> MemoryOperatorQueue:
        return self.queues.setdefault(name, MemoryOperatorQueue())

    def send(self, body: str) -> str:
        request = json.loads(body)
        scan_id = derive_keyed_scan_id(SUBMITTER, request["idempotencyKey"])
        name = request["name"].removeprefix("live-check-")
        is_open = name in self.never_ends
        ports = self.open_ports.get(name, (22,))
        ended = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "shards_open": 0, "finished_at": ENDED_AT}
        fields = {"findings": Counts(count=len(ports)), "addresses": 256, "hosts_up": 1} | ended | self.ends
        fields |= {"state": ScanState.SCANNING, "shards_open": 1, "outcome": None} if is_open else {}
        self.table.create_scan(a_scan(scan_id=scan_id, **fields))
        self.table.add_shards([self._build_shard(scan_id, is_open=is_open)])
        findings = [a_finding(port, category="Open Port", attributes=self._attributes(port)) for port in ports]
        self.table.put_findings(scan_id, [HostFindings("10.0.0.5", findings)])
        self.reports.put_report(ReportKey(scan_id, 0, self.attempts), self._report, {})
        return "message"

    def _attributes(self, port: int) -> dict[str, Any]:
        return {"port": port, "ip_addresses": ["10.0.0.5"]}

    def _build_shard(self, scan_id: str, *, is_open: bool) -> Shard:
        run = a_run(started_at=NOW, finished_at=ENDED_AT, attempt=self.attempts)
        shard = a_shard(scan_id=scan_id, lane=Lane.RAW, run=run, attempt=self.attempts)
        return replace(shard, state=ShardState.RUNNING if is_open else ShardState.RECORDED)


class Controls:
    """A control queue that only remembers."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, body: str) -> None:
        self.sent.append(json.loads(body))


class Ecs:
    """ECS with one raw worker on Spot, which started within half a minute."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.stopped_tasks = stack, list[str]()
        self.tasks = [self.task("1")]

    def task(self, name: str) -> dict[str, Any]:
        return {
            "taskArn": f"arn:aws:ecs:eu-central-1:1:task/workers/{name}",
            "taskDefinitionArn": "raw:1",
            "capacityProviderName": "FARGATE_SPOT",
            "createdAt": NOW,
            "pullStartedAt": NOW + timedelta(seconds=10),
            "pullStoppedAt": NOW + timedelta(seconds=20),
            "startedAt": NOW + timedelta(seconds=30),
        }

    def get_paginator(self, _: str) -> Ecs:
        return self

    def paginate(self, *, desiredStatus: str, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803 - of boto3
        yield {"taskArns": [task["taskArn"] for task in self.tasks] if desiredStatus == "RUNNING" else []}

    def describe_tasks(self, **_: Any) -> dict[str, Any]:
        return {"tasks": self.tasks}

    def describe_task_definition(self, **_: Any) -> dict[str, Any]:
        options = {"awslogs-group": "workers", "awslogs-stream-prefix": "raw"}
        container = {"name": "worker", "logConfiguration": {"options": options}}
        return {"taskDefinition": {"containerDefinitions": [container]}}

    def stop_task(self, *, task: str, **_: Any) -> None:
        self.stopped_tasks.append(task)
        for scan_id, scan in self.stack.table.scans.items():  # another worker takes the shard and ends it
            if scan.shards_open:
                done = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "shards_open": 0}
                self.stack.table.scans[scan_id] = replace(scan, **done)
                shard = self.stack.table.shards_by_key[scan_id, 0]
                self.stack.table.shards_by_key[scan_id, 0] = replace(shard, attempt=2, state=ShardState.RECORDED)


class Logs:
    """The log of a worker that ran as it should."""

    line = {"message": "worker starts", "uid": 1001, "capabilities_bounding": "0000000000002000"}  # noqa: RUF012

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        assert request["logStreamName"] == "raw/worker/1"
        return {"events": [{"message": "a line of another program"}, {"message": json.dumps(self.line)}]}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def check(
    stack: Stack, target: str = NETWORK, *, quick: bool = False, local: bool = False, seconds: float = 600
) -> dict[str, tuple[Verdict, str]]:
    """The verdict and sentence of each line."""
    ecs, seconds_passed = Ecs(stack), [0.0]
    requests = build_requests(target, "run", on_fargate=not local, quick=quick)

    def sleep(pause: float) -> None:
        seconds_passed[0] += pause

    run = LiveRun(stack, seconds, clock=lambda: seconds_passed[0], sleep=sleep)  # type: ignore[arg-type]
    plan = LivePlan(target, requests, 1.0, 60, STANDARD_SHAPE)
    clients: dict[str, Any] = {"ecs": ecs, "logs": Logs()}
    live = LiveCheck(stack, plan, run, None if local else clients.__getitem__, now=lambda: NOW)  # type: ignore[arg-type]
    return {line.name: (line.verdict, line.sentence) for line in live.check()}


def verdicts(lines: dict[str, tuple[Verdict, str]]) -> dict[str, str]:
    return {name: verdict for name, (verdict, _) in lines.items()}


def test_on_a_stack_that_works_every_line_passes(stack: Stack) -> None:
    stack.never_ends = {"stopped"}  # until its worker is stopped
    lines = check(stack)
    assert set(verdicts(lines).values()) == {"pass"}, lines
    assert "two scans found the same 1 open port" in lines["connection tracking"][1]
    assert "after 31 minutes of nmap" in lines["30-minute shard"][1]
    assert "the slowest in 30 s, of which 10 s for the image" in lines["worker start"][1]
    assert lines["user and capabilities"][1].startswith("user 1001")
    assert "cannot be ordered" in lines["stopped worker"][1]
    assert stack.control_queue.sent == []


def test_on_one_machine_nothing_is_said_of_fargate(stack: Stack) -> None:
    stack.ends = {"finished_at": ENDED_AT}
    assert verdicts(check(stack, "10.0.0.1", local=True)) == {
        "raw scan": "pass",
        "report to findings": "pass",
        "connection tracking": "not tried",
        "worker start": "not tried",
        "user and capabilities": "not tried",
        "stopped worker": "not tried",
        "30-minute shard": "not tried",
        "dead letters": "pass",
        "cost": "not tried",
    }


def test_a_scan_without_a_result_fails_and_what_builds_on_it_is_not_tried(stack: Stack) -> None:
    stack.ends = {"state": ScanState.ERRORED, "outcome": Outcome.FAILED, "error_description": "no raw sockets"}
    lines = check(stack, quick=True)
    assert lines["raw scan"][0] == "fail"
    assert lines["raw scan"][1].endswith("no raw sockets")
    assert {lines[name][0] for name in ("report to findings", "connection tracking")} == {"not tried"}


def test_ports_that_only_one_of_two_scans_found_fail(stack: Stack) -> None:
    stack.open_ports = {"syn": (22, 80), "syn-again": (22,)}
    assert check(stack, quick=True)["connection tracking"] == (
        Verdict.FAILED,
        "1 of 2 open ports were found by one scan alone",
    )


def test_a_network_without_open_ports_shows_nothing(stack: Stack) -> None:
    stack.open_ports = {"syn": (), "syn-again": ()}
    assert check(stack, quick=True)["connection tracking"][0] == "not tried"


def test_findings_that_are_missing_in_the_table_fail(stack: Stack) -> None:
    stack.ends = {"findings": Counts(count=7)}
    assert check(stack, quick=True)["report to findings"] == (
        Verdict.FAILED,
        "the table has 1 findings, and the scan counts 7",
    )


def test_dead_letters_fail_and_are_named(stack: Stack) -> None:
    stack.queue("ReportDLQ").put("{}")
    assert check(stack, quick=True)["dead letters"] == (
        Verdict.FAILED,
        "messages in ReportDLQ 1: cascan redrive list",
    )


def test_a_scan_that_does_not_end_in_time_fails_and_is_cancelled(stack: Stack) -> None:
    stack.never_ends = {"syn"}
    lines = check(stack, quick=True, seconds=30)
    assert lines["raw scan"][0] == "fail"
    assert "is still Scanning at the end of the time" in lines["raw scan"][1]
    (control,) = stack.control_queue.sent
    assert (control["action"], control["by"]) == ("cancel", "cascan doctor --live")
    assert control["scanId"] in stack.table.scans


def test_of_several_workers_none_is_stopped(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.never_ends = {"stopped"}
    stopped: list[str] = []
    monkeypatch.setattr(Ecs, "stop_task", lambda _, **request: stopped.append(request["task"]))
    monkeypatch.setattr(Ecs, "describe_tasks", lambda ecs, **_: {"tasks": [ecs.task("1"), ecs.task("2")]})
    lines = check(stack)
    assert stopped == []
    assert lines["stopped worker"][0] == "fail"  # the scan did not end by itself


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "pass"),
        ({"uid": 0}, "fail"),
        ({"capabilities_bounding": "0000000000000000"}, "fail"),
        ({"capabilities_bounding": "00000000a80425fb"}, "fail"),  # those that Docker gives by default
        ({"capabilities_bounding": ""}, "not tried"),
    ],
)
def test_a_worker_is_user_1001_and_may_have_net_raw_alone(changed: dict[str, Any], verdict: str) -> None:
    assert judge_identity(Logs.line | changed)[0] == verdict


def test_a_permission_that_is_missing_is_not_a_failure_of_the_stack() -> None:
    def refused() -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListTasks")

    assert check_line("a", refused)[1:] == (Verdict.NOT_TRIED, "your identity may not call ListTasks")


@pytest.mark.parametrize(
    ("target", "single"),
    [
        (NETWORK, "10.0.0.1"),
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.6/31", "10.0.0.6"),
        ("db.example", "db.example"),
    ],
)
def test_long_scans_are_of_one_address(target: str, single: str) -> None:
    assert find_single_target(target) == single


def estimate(target: str, *, raw: bool = True) -> float:
    permissions = Permissions(Scope.of(["10.0.0.0/8"]), raw_scans=raw)
    requests = build_requests(target, "run", on_fargate=True, quick=False)
    return estimate_live_cost(requests, permissions, ScanDefaults(), prices=bundled_prices(), shape=STANDARD_SHAPE)


def test_the_cost_is_known_before_and_includes_each_scan() -> None:
    assert 0.01 < estimate("10.0.0.7") < estimate(NETWORK) < 5


@pytest.mark.parametrize(("target", "raw"), [("8.8.8.8", True), (NETWORK, False)])
def test_a_target_that_may_not_be_scanned_is_refused_before_anything_is_sent(target: str, raw: bool) -> None:
    with pytest.raises(BadInput, match="the stack would refuse this scan"):
        estimate(target, raw=raw)


class TestCommand:
    """`cascan doctor --live`."""

    @pytest.fixture(autouse=True)
    def opened(self, stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        class Opened:
            def __enter__(self) -> Stack:
                return stack

            def __exit__(self, *_: object) -> None: ...

        def planned(args: Namespace) -> LivePlan:
            requests = build_requests(args.live, "run", on_fargate=False, quick=args.quick)
            return LivePlan(args.live, requests, 0.25, args.minutes, STANDARD_SHAPE)

        monkeypatch.setattr(doctor, "open_stack", lambda _: Opened())
        monkeypatch.setattr(live_run, "plan_live", planned)
        monkeypatch.setattr("cascan_cli.input.raw_sockets.require_raw_sockets", lambda *_: None)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def test_a_line_is_a_verdict_a_name_and_a_sentence(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor", "--live", "10.0.0.1", "--yes"]) == 0
        out, err = capsys.readouterr()
        first, *others = out.splitlines()
        assert first.startswith("pass\traw scan\tscan ")
        assert len(others) == 8
        assert "nmap -n -Pn -sS" in err
        assert "3 passed, 0 failed, 6 not tried" in err

    def test_with_json_each_line_is_an_object_and_a_failure_makes_the_exit_code_1(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stack.queue("ReportDLQ").put("{}")
        assert main(["doctor", "--live", "10.0.0.1", "--yes", "--json"]) == 1
        lines = json.loads(capsys.readouterr().out)
        assert {line["check"]: line["verdict"] for line in lines}["dead letters"] == "fail"
        assert all(line.keys() == {"check", "verdict", "message"} for line in lines)

    @pytest.mark.parametrize("words", [["--minutes", "0"], ["--minutes", "9999"]])
    def test_its_time_has_bounds(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor", "--live", "10.0.0.1", "--yes", *words]) == 2
        assert "--minutes" in capsys.readouterr().err

    def test_without_a_terminal_it_needs_yes_and_sends_nothing(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["doctor", "--live", "10.0.0.1"]) == 2
        assert "confirm with --yes" in capsys.readouterr().err
        assert not stack.table.scans


def test_an_error_of_the_stack_is_a_failure_of_its_line() -> None:
    def broken() -> Any:
        raise CliError("the scan was not planned")

    assert check_line("a", broken) == ("a", Verdict.FAILED, "the scan was not planned")
