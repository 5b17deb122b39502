"""What a command's end says of its scan."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import Progress
from cli.errors import BadInput
from cli.follow import exit_code_of, progress_of, said_by
from cli.lookup import find_scan
from tests.builders import NOW, a_scan, a_shard
from tests.fakes import MemoryScanTable


@pytest.mark.parametrize(
    ("scan", "code"),
    [
        ({"state": ScanState.DONE, "outcome": Outcome.COMPLETE}, 0),
        ({"state": ScanState.DONE, "outcome": Outcome.PARTIAL}, 1),
        ({"state": ScanState.DONE, "outcome": Outcome.NOTHING_ANSWERED}, 1),
        ({"state": ScanState.DONE, "outcome": Outcome.UNRESOLVED}, 1),
        ({"state": ScanState.ERRORED, "shards": 0, "shards_open": 0}, 2),
        ({"state": ScanState.ERRORED, "outcome": Outcome.FAILED}, 3),
        ({"state": ScanState.SCANNING}, 1),
        ({"state": ScanState.CANCELLED}, 1),
        ({"state": ScanState.SUSPENDED}, 0),
    ],
)
def test_the_exit_code_says_whether_the_answer_is_whole(scan: dict[str, Any], code: int) -> None:
    assert exit_code_of(a_scan(**scan)) == code


@pytest.fixture
def table() -> MemoryScanTable:
    table = MemoryScanTable()
    for day, (scan_id, name) in enumerate(
        [("aaaa222222222222", "lan"), ("aaab222222222222", "lan"), ("bbbb222222222222", "dmz")], start=1
    ):
        table.create_scan(a_scan(scan_id=scan_id, name=name, requested_at=NOW.replace(day=day)))
    return table


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("latest", "bbbb222222222222"),
        ("lan", "aaab222222222222"),
        ("aaaa222222222222", "aaaa222222222222"),
        ("aaab", "aaab222222222222"),
    ],
)
def test_a_scan_is_found_by_its_id_the_beginning_of_it_or_its_series(
    table: MemoryScanTable, asked: str, found: str
) -> None:
    assert find_scan(table, asked).scan_id == found


@pytest.mark.parametrize(("asked", "sentence"), [("aaa", "2 scans begin with 'aaa'"), ("nope", "no scan fits 'nope'")])
def test_what_fits_none_or_several_is_said(table: MemoryScanTable, asked: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        find_scan(table, asked)


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ([], ""),
        ([None], ""),
        ([Progress(task="Connect Scan", percent=42, hosts_done=3)], "Connect Scan 42 %, 3 hosts done"),
        ([Progress(task="NSE", percent=5), Progress(task="NSE", percent=90)], "NSE 5 to 90 %, 0 hosts done"),
        (
            [Progress(task="NSE", percent=5, hosts_done=1), Progress(task="Ping Scan", percent=5, hosts_done=1), None],
            "2 shards run 5 %, 2 hosts done",
        ),
    ],
)
def test_running_shards_say_how_far_they_are(told: list[Progress | None], line: str) -> None:
    assert said_by(a_shard(number=n, progress=progress) for n, progress in enumerate(told)) == line
    assert progress_of(a_scan(), line).endswith("0 findings; " + line if line else "0 findings")
