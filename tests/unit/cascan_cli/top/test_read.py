"""What the live view reads of a stack: bounded, no more often than it has to, and in the words of other commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.exposure.life import add_looks, start_exposure
from cascan.model.agenda import Switch
from cascan.model.exposure import ExposureSubject, JudgedLook
from cascan.model.finding import HostFindings, Severity
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.model.shard import Progress, ShardState
from cascan.queries.scan_progress import read_live_shards
from cascan_cli.top import read as reading
from cascan_cli.top.read import StackReader
from cascan_cli.top.rows import EXPOSURE_COLUMNS, FINDING_COLUMNS, SCAN_COLUMNS, Row
from tests.fakes import MemoryScanTable
from tests.fakes.operator_queue import MemoryOperatorQueue
from tests.support.builders import NOW, SCAN_ID, a_request, a_scan, a_shard
from tests.unit.cascan_cli.test_fail_on import a_finding

ENDED: dict[str, Any] = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "shards_open": 0}
QUEUES = ("RequestQueue", "ConnectShardQueue", "ControlDLQ")


@dataclass
class Stack:
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    queues: dict[str, MemoryOperatorQueue] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=lambda: {f"{name}Url": name for name in QUEUES})

    def queue(self, name: str) -> MemoryOperatorQueue:
        return self.queues.setdefault(name, MemoryOperatorQueue())


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def stack() -> Stack:
    """A scan of 4 shards, half of which are done, and an exposure."""
    stack = Stack()
    request = a_request(targets=("10.0.0.0/30", "db.example"))
    stack.table.create_scan(a_scan(shards=4, shards_open=2, addresses=4, request=request))
    running = Progress(task="Connect Scan", percent=40, hosts_done=1, hosts_up=1, open_ports=0)
    stack.table.add_shards([a_shard(state=ShardState.RUNNING, progress=running)])
    subject = ExposureSubject(vantage="default", address="10.0.0.1", protocol="tcp", port=23, kind="unexpected-open")
    look = JudgedLook(seen_at=NOW - timedelta(hours=2), report_key="a run", holds=True)
    exposure = add_looks(start_exposure(subject), [look], NOW)
    stack.table.put_exposure(replace(exposure, revision=1, sentence="23/tcp is open", hostname="db"))
    return stack


def reader_of(stack: Stack, seconds: Time | None = None) -> StackReader:
    clock = lambda: NOW + timedelta(seconds=90)  # noqa: E731
    return StackReader(stack, clock=clock, seconds=seconds or Time())  # type: ignore[arg-type]


def cell(row: Row, column: str, columns: tuple[str, ...] = SCAN_COLUMNS) -> str:
    return dict(zip(columns, row.cells, strict=True))[column]


def test_a_scan_that_runs_has_its_progress_and_an_ended_one_its_outcome(stack: Stack) -> None:
    finished = NOW + timedelta(seconds=20)
    stack.table.create_scan(
        a_scan(scan_id="e" * 16, requested_at=NOW - timedelta(days=1), hosts_up=1, **ENDED, finished_at=finished)
    )
    running, ended = reader_of(stack).read().scans
    assert running.key == SCAN_ID
    assert [cell(running, name) for name in ("STATE", "DONE", "TIME", "LEFT")] == [
        "scanning",
        "50 %",
        "1 min 30 s",
        "about 2 min",
    ]
    assert cell(running, "TARGETS") == "10.0.0.0/30 db.example"
    assert "1 up" in cell(running, "HOSTS")
    assert cell(ended, "STATE") == "Done, complete"
    assert cell(ended, "HOSTS") == "1 of 1 address up"


def test_findings_come_once_the_newest_first(stack: Stack) -> None:
    reader = reader_of(stack)
    assert reader.read().findings == []
    put_findings(stack, a_finding("one"), a_finding("worse", severity=Severity.HIGH))
    first = reader.read().findings
    assert [cell(row, "SEVERITY", FINDING_COLUMNS) for row in first] == ["HIGH", "INFORMATIONAL"]
    put_findings(stack, a_finding("two"), place=1)
    assert [row.key for row in reader.read().findings[1:]] == [row.key for row in first]


def put_findings(stack: Stack, *findings: Any, place: int = 0) -> None:
    stack.table.put_findings(SCAN_ID, [HostFindings("10.0.0.1", findings, place=place)])
    count = len(list(stack.table.findings(SCAN_ID)))
    scan = stack.table.scans[SCAN_ID]
    stack.table.scans[SCAN_ID] = replace(scan, findings=Counts(count=count, severities={"HIGH": count}))


def test_the_last_findings_of_a_scan_are_shown_when_it_ends(stack: Stack) -> None:
    reader = reader_of(stack)
    reader.read()
    put_findings(stack, a_finding("last"))
    stack.table.scans[SCAN_ID] = replace(stack.table.scans[SCAN_ID], **ENDED, finished_at=NOW)
    assert len(reader.read().findings) == 1
    assert len(reader.read().findings) == 1


def test_findings_whose_read_failed_come_with_the_next_one(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = reader_of(stack)
    reader.read()
    put_findings(stack, a_finding("late"))
    with monkeypatch.context() as patch:
        patch.setattr(stack.table, "findings", refuse)
        with pytest.raises(GatewayUnavailable):
            reader.read()
    assert len(reader.read().findings) == 1


def refuse(_: str) -> Any:
    raise GatewayUnavailable("the table does not answer")


def test_exposures_queues_and_the_halt_are_read_now_and_then(stack: Stack) -> None:
    seconds = Time()
    reader = reader_of(stack, seconds)
    snapshot = reader.read()
    (exposure,) = snapshot.exposures
    named = [cell(exposure, name, EXPOSURE_COLUMNS) for name in ("STATE", "AGE", "HOST", "PORT", "WHY")]
    assert named == ["open", "2 h", "10.0.0.1 (db)", "tcp/23", "23/tcp is open"]
    assert snapshot.queues == "queues: empty"
    assert "1 of the latest 50 scans running" in snapshot.summary

    stack.queue("RequestQueue").put("{}")
    stack.queue("ControlDLQ").put("{}")
    stack.table.halt(Switch(halted_at=NOW, by="ada", reason="fire"))
    assert reader.read()[3:] == snapshot[3:]
    seconds.seconds = reading.SLOW_EVERY_S
    later = reader.read()
    assert later.queues == "queues: requests 1; 1 dead letter: cascan redrive list"
    assert "by ada (fire)" in later.summary
    assert cell(later.scans[0], "STATE") == "halted"


def test_the_other_parts_are_shown_where_messages_may_not_be_counted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> MemoryOperatorQueue:
        raise GatewayUnavailable("queue: AccessDenied")

    monkeypatch.setattr(stack, "queue", refuse)
    snapshot = reader_of(stack).read()
    assert "AccessDenied" in snapshot.queues
    assert snapshot.scans
    assert snapshot.exposures


def test_lists_have_a_largest_size(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SCANS_READ", 5)
    monkeypatch.setattr(reading, "MAX_SCANS_WATCHED", 2)
    monkeypatch.setattr(reading, "FINDINGS_SHOWN", 3)
    for number in range(8):
        stack.table.create_scan(a_scan(scan_id=f"{number}" * 16, requested_at=NOW + timedelta(seconds=number)))
    stack.table.scans.pop(SCAN_ID)
    assert len(reader_of(stack).read().scans) == 2
    stack.table.scans.clear()
    stack.table.create_scan(a_scan())
    put_findings(stack, *(a_finding(str(number)) for number in range(7)))
    assert len(reader_of(stack).read().findings) == 3


def test_progress_is_read_as_seldom_for_one_scan_as_for_the_list(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []

    def count(*arguments: Any) -> Any:
        reads.append(arguments)
        return read_live_shards(*arguments)

    monkeypatch.setattr(reading, "read_live_shards", count)
    seconds = Time()
    reader = reader_of(stack, seconds)
    reader.read()
    for _ in range(3):
        assert "scanning 50 %" in reader.read_scan(SCAN_ID).lines[2]
    assert len(reads) == 1
    seconds.seconds = reading.SHARDS_EVERY_S
    reader.read_scan(SCAN_ID)
    assert len(reads) == 2


def test_one_scan_is_shown_with_its_findings_the_worst_first(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    put_findings(stack, a_finding("one"), a_finding("worse", severity=Severity.HIGH))
    detail = reader_of(stack).read_scan(SCAN_ID)
    assert detail.lines[0].startswith(f"lan: {SCAN_ID}, requested 2026-03-01T12:00:00")
    assert "scanning 50 %" in detail.lines[2]
    assert [cell(row, "SEVERITY", FINDING_COLUMNS) for row in detail.findings] == ["HIGH", "INFORMATIONAL"]
    monkeypatch.setattr(reading, "MAX_LIVE_FINDINGS", 1)
    many = reader_of(stack).read_scan(SCAN_ID)
    assert many.findings == []
    assert many.lines[-1] == f"its findings are too many for this view: cascan findings {SCAN_ID}"
    assert reader_of(stack).read_scan("f" * 16).lines == [f"scan {'f' * 16} is removed"]
