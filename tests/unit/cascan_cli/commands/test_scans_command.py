"""`cascan scans` says of each scan what came of it, and what it saw otherwise than the scans before it."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.inventory import ChangeKind
from cascan.model.scan import Counts, Outcome, ScanState, Suspension
from cascan.model.usage import ScanCost, Usage
from cascan_cli.commands import scans
from cascan_cli.main import main
from cascan_cli.output.scan import CHANGE_LABELS, format_changes
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, SCAN_ID, a_request, a_scan

CHANGES = {"ServiceChanged": 1, "PortOpened": 2, "HostGone": 0}


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryScanTable:
    table = MemoryScanTable()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=table)

    monkeypatch.setattr(scans, "open_stack", access)
    table.create_scan(
        a_scan(state=ScanState.DONE, outcome=Outcome.COMPLETE, changes=CHANGES, shards_open=0, announced=True)
    )
    table.create_scan(a_scan(scan_id="b" * 16, name="second", error_description="no target"))
    return table


def test_every_kind_of_change_has_a_label_and_unknown_kinds_keep_their_name() -> None:
    assert set(CHANGE_LABELS) == set(ChangeKind)
    assert format_changes(CHANGES | {"PortWobbled": 3}) == "2 opened 1 changed 3 PortWobbled"
    assert format_changes({}) == ""


def test_piped_the_changes_stand_before_the_remark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scans"]) == 0
    rows = {line.split("\t")[0]: line.split("\t")[-4:] for line in capsys.readouterr().out.splitlines()}
    assert rows == {SCAN_ID: ["0", "2 opened 1 changed", "", ""], "b" * 16: ["0", "", "", "no target"]}


def test_who_requested_a_scan_has_a_column_and_a_field_and_is_printable(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan(scan_id="c" * 16, requested_by="AROA1234567890EXAMPLE:a\x1b[2Jda"))
    assert main(["scans"]) == 0
    rows = {line.split("\t")[0]: line.split("\t")[-5] for line in capsys.readouterr().out.splitlines()}
    assert rows[SCAN_ID] == ""  # of a version that did not store it
    assert rows["c" * 16].startswith("AROA1234567890EXAMPLE:a")
    assert "\x1b" not in rows["c" * 16]
    assert main(["scans", "--json"]) == 0
    summaries = {scan["id"]: scan for scan in json.loads(capsys.readouterr().out)}
    assert summaries["c" * 16]["requestedBy"] == "AROA1234567890EXAMPLE:a\x1b[2Jda"


def shown_in_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that `cascan scans` sends to a terminal so wide."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w", encoding="utf-8") as stdout, os.fdopen(controller, "rb", buffering=0) as screen:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["scans"]) == 0
        stdout.flush()
        return os.read(screen.fileno(), 16_384).decode().splitlines()


def test_in_a_terminal_they_have_a_column_and_a_finished_scan_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    header, *rows = shown_in_a_terminal(160, monkeypatch)
    assert header.index("FINDINGS") < header.index("CHANGES") < header.index("REMARK")
    (row,) = [row for row in rows if SCAN_ID in row]
    assert "\x1b[32mDone" in row  # green
    assert "2 opened 1 changed" in row


def test_a_narrow_terminal_folds_no_scan_id(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_in_a_terminal(80, monkeypatch)
    assert any(SCAN_ID in line for line in shown)
    assert any("b" * 16 in line for line in shown)


def test_what_a_scan_has_cost_and_who_suspended_it_is_shown(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    cost = ScanCost(usd=0.00123, parts={"lambda": 0.00123}, estimate_usd=(0.001, 0.2))
    suspension = Suspension(at=NOW, by="ada", reason="night work", sender="AIDAEXAMPLE\x1b[2J")
    fields = {"cost": cost, "usage": Usage(spot_ms=1_500, attempts=2), "suspension": suspension}
    table.create_scan(a_scan(scan_id="d" * 16, state=ScanState.SUSPENDED, shards_waiting=1, **fields))
    assert main(["scans"]) == 0
    rows = {line.split("\t")[0]: line.split("\t")[-2:] for line in capsys.readouterr().out.splitlines()}
    usd, remark = rows["d" * 16]
    assert usd == "$0.0012"
    assert "suspended by ada (night work), requested by the principal AIDAEXAMPLE" in remark
    assert "\x1b" not in remark
    assert main(["scans", "--json"]) == 0
    summary = {scan["id"]: scan for scan in json.loads(capsys.readouterr().out)}["d" * 16]
    assert (summary["cost"]["usd"], summary["cost"]["estimateUsd"]) == (0.00123, [0.001, 0.2])
    assert (summary["cost"]["spotSeconds"], summary["cost"]["attempts"]) == (1.5, 2)
    assert summary["suspendedBy"]["by"] == "ada"


FILTERED: dict[str, dict[str, Any]] = {
    "a": {"name": "lan", "request": a_request(targets=("10.0.0.0/24",), parameters=("-sV",), labels={"team": "red"})},
    "b": {"name": "dmz", "request": a_request(targets=("10.0.0.5:22,443", "web.example"))},
    "c": {"name": "lan", "vantage": "office", "state": ScanState.DONE, "outcome": Outcome.PARTIAL},
    "d": {"vantage": "", "members": ("x",), "request": a_request(vantage=("office", "default"))},
}


@pytest.fixture
def filtered(table: MemoryScanTable) -> MemoryScanTable:
    """Scans a to d, each an hour after the one before."""
    table.scans.clear()
    for hour, (letter, fields) in enumerate(FILTERED.items()):
        table.create_scan(a_scan(**{"scan_id": letter * 16, "requested_at": NOW + timedelta(hours=hour), **fields}))
    return table


@pytest.mark.parametrize(
    ("options", "letters"),
    [
        ("", "dcba"),
        ("--state done", "c"),
        ("--state Done --state Scanning", "dcba"),
        ("--outcome partial", "c"),
        ("--name lan", "dca"),
        ("--name lan --name dmz --state scanning", "dba"),
        ("--label team=red", "a"),
        ("--label team=red --label x=y", ""),
        ("--target 10.0.0.5", "ba"),
        ("--target 10.0.0.0/16 --target nosuch", "ba"),
        ("--target 10.0.0.6", "a"),
        ("--target WEB.example", "b"),
        ("--vantage office", "dc"),
        ("--since 2026-03-01T13:30Z", "dc"),
        ("--since 1h", ""),
    ],
)
def test_scans_are_selected_by_what_was_asked_and_what_came_of_it(
    options: str, letters: str, filtered: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scans", *options.split()]) == 0
    out, err = capsys.readouterr()
    assert "".join(line[0] for line in out.splitlines()) == letters
    assert ("no scan matches" in err) is not bool(letters)


def test_pages_of_scans_go_on_where_the_last_one_ended(
    filtered: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    listed, more = "", list[str]()
    while True:
        assert main(["scans", "--name", "lan", "--limit", "1", *more]) == 0
        out, err = capsys.readouterr()
        listed += out[0]
        if "--after" not in err:
            break
        more = ["--after", err.split()[-1]]
    assert listed == "dca"


def test_the_json_of_each_scan_has_the_cursor_behind_it(
    filtered: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scans", "--json"]) == 0
    cursors = {scan["id"][0]: scan["cursor"] for scan in json.loads(capsys.readouterr().out)}
    assert main(["scans", "--after", cursors["c"]]) == 0
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == ["b", "a"]


def test_a_page_looks_through_a_limited_number_of_scans_and_says_how_to_go_on(
    filtered: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("cascan.queries.list_scans", "cascan_cli.commands.scans"):
        monkeypatch.setattr(f"{module}.MAX_SCANS_FILTERED", 2)
    assert main(["scans", "--name", "dmz"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "2 scans were looked through" in err
    assert main(["scans", "--name", "dmz", "--after", err.split()[-1]]) == 0
    assert capsys.readouterr().out.startswith("b")


def test_what_was_scanned_and_what_was_found_has_columns(
    filtered: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = Counts(count=8, severities={"LOW": 1, "HIGH": 2, "INFORMATIONAL": 5, "MEDIUM": 0})
    ended: dict[str, Any] = {"findings": counts, "finished_at": NOW + timedelta(seconds=200), "state": ScanState.DONE}
    request = a_request(targets=("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"), parameters=("-sV", "-n"))
    filtered.create_scan(a_scan(scan_id="e" * 16, name="one", request=request, **ended))
    assert main(["scans", "--name", "one"]) == 0
    cells = capsys.readouterr().out.splitlines()[0].split("\t")
    assert cells[5:9] == ["3 min 20 s", "10.0.0.1 10.0.0.2 10.0.0.3 and 2 more", "-sV -n", "2 HIGH 1 LOW 5 INFO"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--state Running", "--state Running: must be one of Init, Suspended"),
        ("--outcome good", "--outcome good: must be one of complete"),
        ("--label team", "--label 'team' is not KEY=VALUE"),
        ("--after x", "--after 'x': must be a cursor"),
        ("--after 2026-03-01T12:00:00#x", "must be a cursor"),
        ("--since x", "--since 'x': must be a date"),
        ("--limit 0", "--limit 0: must be at least 1"),
    ],
)
def test_options_that_select_no_scan_are_refused(
    options: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scans", *options.split()]) == 2
    assert sentence in capsys.readouterr().err
