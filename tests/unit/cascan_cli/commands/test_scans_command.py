"""`cascan scans` says of each scan what came of it, and what it saw otherwise than the scans before it."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.inventory import ChangeKind
from cascan.model.scan import Outcome, ScanState, Suspension
from cascan.model.usage import ScanCost, Usage
from cascan_cli.commands import scans
from cascan_cli.main import main
from cascan_cli.output.scan import CHANGE_LABELS, format_changes
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, SCAN_ID, a_scan

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
