"""How pages read: side by side, as little as they show, and what cannot change once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from cascan.limits import MAX_CONSOLE_READERS
from cascan.model.inventory import Change, ChangeKind, Sighting
from cascan.model.scan import Outcome, ScanState
from cascan.nmap.options.arguments import parse_arguments
from cascan.queries.scope_coverage import AskedTargets
from cascan_cli.ui.kept_changes import KeptChanges
from cascan_cli.ui.readers import Readers
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, a_request, a_scan

DONE = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "finished_at": NOW}


@pytest.fixture
def readers() -> Iterator[Readers]:
    readers = Readers()
    yield readers
    readers.close()


def test_reads_are_made_side_by_side_and_arrive_in_order(readers: Readers) -> None:
    meeting = threading.Barrier(2)

    def read(number: int) -> int:
        if number in (1, 2):  # each waits for the other one
            meeting.wait(30)
        return number

    assert list(readers.map(read, range(20))) == list(range(20))


def test_a_caller_that_needs_one_value_reads_one(readers: Readers) -> None:
    read: list[int] = []
    values = readers.map(read.append, range(100))
    next(values)
    assert read == [0]
    list(values)
    assert len(read) == 100
    assert MAX_CONSOLE_READERS < 100


class Changes(MemoryScanTable):
    """A table whose shards have two changes each, and which counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, int]] = []

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        self.read.append((scan_id, shard))
        seen = Sighting(state="open", scan_id=scan_id, seen_at=NOW)
        for port in (1, 2):
            yield Change(kind=ChangeKind.PORT_OPENED, address="10.0.0.1", port=port, before=seen, after=seen)


def test_the_changes_of_an_ended_scan_are_read_once_and_those_of_a_running_one_each_time(readers: Readers) -> None:
    table, kept = Changes(), KeptChanges()
    ended = a_scan(shards=2, changes={"PortOpened": 4}, **DONE)
    running = a_scan(scan_id="b" * 16, shards=1, changes={"PortOpened": 2})
    for _ in range(2):
        changes = list(kept.list_changes([ended, running], table, readers, 10))
        assert [scan.scan_id for scan, _ in changes] == [ended.scan_id] * 4 + [running.scan_id] * 2
    assert table.read.count((ended.scan_id, 0)) == table.read.count((ended.scan_id, 1)) == 1
    assert table.read.count((running.scan_id, 0)) == 2


def test_a_scan_that_ended_again_is_read_again(readers: Readers) -> None:
    table, kept = Changes(), KeptChanges()
    ended = a_scan(shards=1, changes={"PortOpened": 2}, **DONE)
    for scan in (ended, replace(ended, finished_at=NOW + timedelta(hours=1))):
        list(kept.list_changes([scan], table, readers, 10))
    assert len(table.read) == 2


def test_no_more_changes_are_kept_than_the_limit(readers: Readers) -> None:
    table, kept = Changes(), KeptChanges(most=3)
    scans = [a_scan(scan_id=letter * 16, shards=1, changes={"PortOpened": 2}, **DONE) for letter in "bcb"]
    list(kept.list_changes(scans, table, readers, 10))
    assert len(kept._kept) == 1
    assert kept._count == 2


def test_no_more_shards_are_kept_than_the_limit_even_if_they_have_no_changes(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, kept = Changes(), KeptChanges(most=3)
    monkeypatch.setattr(table, "changes", lambda *_: iter(()))
    list(kept.list_changes([a_scan(shards=9, changes={"PortOpened": 1}, **DONE)], table, readers, 10))
    assert len(kept._kept) == 3


def test_the_targets_of_a_scan_are_parsed_once_and_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []

    def parse_and_note(parameters: Sequence[str]) -> object:
        parsed.append(parameters)
        return parse_arguments(parameters)

    monkeypatch.setattr("cascan.queries.scope_coverage.parse_arguments", parse_and_note)
    targets = AskedTargets()
    scans = [a_scan(scan_id=letter * 16, request=a_request(targets=("10.0.0.1",)), **DONE) for letter in "bc"]
    for _ in range(3):
        assert targets.collect(scans)[4] == ((167772161, 167772161),)
    assert len(parsed) == 2
    assert targets.collect([])[4] == ()
    targets.collect(scans)
    assert len(parsed) == 4
