"""`cascan watch`, and what a terminal shows of a scan that runs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.finding import HostFindings, Severity
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from cascan.model.shard import Progress as ShardProgress
from cascan.model.shard import ShardState
from cascan.queries import scan_progress
from cascan.queries.scan_progress import HostCounts, ScanProgress, TimeLeft
from cascan_cli.commands import watch
from cascan_cli.main import main
from cascan_cli.output.progress import describe_progress, round_time
from cascan_cli.output.scan import STATE_WORDS
from cascan_cli.output.text import Progress
from cascan_cli.stack import scan_display
from cascan_cli.stack.scan_display import ScanDisplay
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard
from tests.unit.cascan_cli.test_fail_on import a_finding

ENDED: dict[str, Any] = {"state": ScanState.DONE, "outcome": Outcome.PARTIAL, "shards_open": 0}
OTHER = "b" * 16


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryScanTable:
    table = MemoryScanTable()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=table, is_local=False, stays_up=True, uri=str)

    monkeypatch.setattr(watch, "open_stack", access)
    monkeypatch.setattr(watch, "POLL_S", 0.001)
    return table


def at_read(table: MemoryScanTable, number: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something at that read of a scan."""
    read, numbers = table.get_scan, iter(range(1_000))

    def get_scan(scan_id: str) -> Scan | None:
        if next(numbers) == number:
            act()
        return read(scan_id)

    monkeypatch.setattr(table, "get_scan", get_scan)


def test_one_scan_is_watched_to_its_end_and_gives_its_exit_code(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan())
    at_read(table, 3, lambda: table.scans.update({SCAN_ID: a_scan(**ENDED)}), monkeypatch)
    assert main(["watch", "lan"]) == 1
    assert f"scan {SCAN_ID} (lan): Done, partial" in capsys.readouterr().err


def test_every_scan_that_runs_is_watched_also_one_that_begins_meanwhile(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "LIST_EVERY_S", 0.0)
    table.create_scan(a_scan())
    table.create_scan(a_scan(scan_id="c" * 16, **ENDED))
    table.create_scan(a_scan(scan_id="d" * 16, member_of=SCAN_ID))
    later = a_scan(scan_id=OTHER, name="dmz", requested_at=NOW + timedelta(hours=1))
    at_read(table, 2, lambda: table.scans.update({OTHER: later}), monkeypatch)
    reads = table.get_scan

    def end(scan_id: str) -> Scan | None:
        scan = reads(scan_id)
        if scan_id == OTHER:
            table.scans.update({SCAN_ID: a_scan(**ENDED), OTHER: a_scan(**{**ENDED, "scan_id": OTHER, "name": "dmz"})})
        return scan

    monkeypatch.setattr(table, "get_scan", end)
    assert main(["watch", "--json"]) == 0
    assert {scan["id"] for scan in json.loads(capsys.readouterr().out)} == {SCAN_ID, OTHER}


def test_without_a_running_scan_that_is_said(table: MemoryScanTable, capsys: pytest.CaptureFixture[str]) -> None:
    table.create_scan(a_scan(**ENDED))
    assert main(["watch"]) == 0
    assert "no scan is running" in capsys.readouterr().err


def test_ctrl_c_says_what_becomes_of_the_scans(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    table.create_scan(a_scan())
    at_read(table, 3, interrupt, monkeypatch)
    assert main(["watch"]) == 130
    assert f"scan {SCAN_ID} (lan) goes on" in capsys.readouterr().err


# ---- what is shown


def test_a_line_says_how_far_the_scan_is_and_how_long_it_takes() -> None:
    counts = Counts(count=31, severities={"HIGH": 2, "LOW": 29, "(suppressed)": 1})
    scan = a_scan(shards=30, shards_open=18, findings=counts)
    progress = ScanProgress(125, 40, 12, HostCounts(240, 600, 31, 12), TimeLeft(187, "shards"))
    line = (
        "lan: scanning 40 %, 2 min 5 s, about 3 min left; 12 of 30 shards, 240 of 600 addresses done, 31 up, "
        "12 open ports so far, 31 findings (2 HIGH)"
    )
    assert describe_progress(scan, progress, []) == line


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (None, "lan: scanning, 12 s; NSE 42 %, 9 of 256 addresses done, 2 up, 1 open port so far"),
        (
            TimeLeft(17, "NSE"),
            "lan: scanning, 12 s, about 15 s left of NSE; NSE 42 %, 9 of 256 addresses done, 2 up, 1 open port so far",
        ),
        (
            TimeLeft(2, "last scan"),
            "lan: scanning, 12 s, a few seconds left if it takes as long as last time; "
            "NSE 42 %, 9 of 256 addresses done, 2 up, 1 open port so far",
        ),
    ],
)
def test_of_a_single_shard_the_task_of_nmap_is_shown(left: TimeLeft | None, text: str) -> None:
    running = [ShardProgress(task="NSE", percent=42)]
    assert describe_progress(a_scan(), ScanProgress(12, None, 0, HostCounts(9, 256, 2, 1), left), running) == text


@pytest.mark.parametrize("state", ScanState)
def test_a_state_is_shown_in_a_word_for_people(state: ScanState) -> None:
    progress = ScanProgress(12, None, 0, HostCounts(None, 1, 0, 0), None)
    line = describe_progress(a_scan(state=state), progress, [])
    assert line == f"lan: {STATE_WORDS[state]}, 12 s; 0 up"
    assert STATE_WORDS[state] == STATE_WORDS[state].lower()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (9, "a few seconds"),
        (43, "about 45 s"),
        (170, "about 3 min"),
        (7_900, "about 2 h 10 min"),
        (3_600, "about 1 h"),
        (7_100, "about 2 h"),
    ],
)
def test_a_time_left_is_rounded(seconds: float, text: str) -> None:
    assert round_time(seconds) == text


def test_findings_are_printed_above_the_line_once_the_worst_first(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(scan_display, "READ_EVERY_S", 0.0)
    monkeypatch.setattr(scan_display, "MAX_LIVE_FINDINGS_AT_ONCE", 2)
    scan = a_scan(findings=Counts(count=3, severities={"HIGH": 1}))
    findings = [a_finding("low"), a_finding("evil\x1b[2J", severity=Severity.HIGH), a_finding("last")]
    table.create_scan(scan)
    table.put_findings(SCAN_ID, [HostFindings("10.0.0.1", findings)])
    with Progress() as progress:
        display = ScanDisplay(table, progress)
        for _ in range(2):
            progress.show(display.describe(scan))
    lines = terminal.getvalue().replace("\r\x1b[2K", "").splitlines()
    assert lines[:3] == [r"HIGH  evil\x1b[2J", "INFORMATIONAL  last", "and 1 more finding"]
    assert terminal.getvalue().count("evil") == 1
    assert "lan: scanning" in lines[3]


@pytest.mark.parametrize(
    ("stream", "open_shards", "shows_last", "is_shown"),
    [
        (Terminal(), 1, False, True),
        (Terminal(), 0, True, True),
        (Terminal(), 0, False, False),
        (io.StringIO(), 1, True, False),
    ],
)
def test_findings_of_the_last_shards_are_left_to_the_table_at_the_end_and_elsewhere_all(
    stream: io.StringIO,
    open_shards: int,
    shows_last: bool,
    is_shown: bool,
    *,
    table: MemoryScanTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table.put_findings(SCAN_ID, [HostFindings("10.0.0.1", [a_finding("low")])])
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress() as progress:
        display = ScanDisplay(table, progress, shows_last=shows_last)
        display.describe(a_scan(shards_open=open_shards, findings=Counts(count=1)))
    assert ("low" in stream.getvalue()) is is_shown


def test_the_tasks_of_running_shards_are_read_of_a_scan_of_few_shards(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = a_shard(state=ShardState.RUNNING, progress=ShardProgress(task="NSE", percent=42, hosts_done=1))
    table.add_shards([shard])
    with Progress() as progress:
        assert "NSE 42 %, 1 of 1 address done, 0 up" in ScanDisplay(table, progress).describe(a_scan())
        monkeypatch.setattr(scan_progress, "MAX_LIVE_SHARDS", 0)
        line = ScanDisplay(table, progress).describe(a_scan(), is_halted=True)
    assert line.startswith("halted; lan: scanning")
    assert "NSE" not in line


def test_without_a_terminal_a_line_is_printed_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0
    monkeypatch.setattr("cascan_cli.output.text.time", SimpleNamespace(monotonic=lambda: now))
    with Progress(30) as progress:
        for now in (10, 31, 40, 62):
            progress.show(f"at {now}")
    assert capsys.readouterr().err == "cascan: at 31\ncascan: at 62\n"


def test_a_line_is_cut_to_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    with Progress() as progress:
        progress.show("x" * 50)
    assert max(map(len, terminal.getvalue().replace("\x1b[2K", "").split("\r"))) == 19


def test_a_scan_that_is_removed_while_it_is_watched_ends_the_watch(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan())
    at_read(table, 2, table.scans.clear, monkeypatch)
    assert main(["watch", SCAN_ID, "--json"]) == 1
    assert [scan["state"] for scan in json.loads(capsys.readouterr().out)] == ["Scanning"]
