"""`cascan wait` and `cascan delete`, over a table in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.agenda import AgendaTask
from cascan.model.finding import HostFindings, Severity
from cascan.model.scan import Outcome, ScanState
from cascan_cli.commands import delete, wait
from cascan_cli.main import main
from cascan_cli.stack import follow
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, SCAN_ID, a_scan
from tests.unit.cascan_cli.test_fail_on import a_finding

ENDED: dict[str, Any] = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "shards_open": 0}
MEMBERS = ("b" * 16, "c" * 16)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryScanTable:
    table = MemoryScanTable()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=table, is_local=False, stays_up=True, own_port=None, uri=str)

    for module in (wait, delete):
        monkeypatch.setattr(module, "open_stack", access)
    monkeypatch.setattr(follow, "POLL_S", (0.001,))
    monkeypatch.setattr(delete, "POLL_S", 0.001)
    return table


def ids_to_remove(table: MemoryScanTable) -> set[str]:
    due = table.due(NOW + timedelta(days=10_000), 10)
    return {entry.scan_id for entry in due if entry.task is AgendaTask.EXPIRE}


def test_wait_returns_when_the_scan_has_ended(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan())
    read, looks = table.get_scan, iter(range(100))

    def end_at_the_third_look(scan_id: str) -> Any:
        if next(looks) == 2:
            table.scans[scan_id] = a_scan(**ENDED)
        return read(scan_id)

    monkeypatch.setattr(table, "get_scan", end_at_the_third_look)
    assert main(["wait", "latest", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["id"], printed["state"]) == (SCAN_ID, "Done")


def test_wait_looks_at_the_findings_that_the_scan_has(table: MemoryScanTable) -> None:
    table.create_scan(a_scan(**ENDED))
    table.put_findings(SCAN_ID, [HostFindings("10.0.0.1", [a_finding("a", severity=Severity.HIGH)])])
    assert main(["wait", "lan", "--fail-on", "new", "--fail-on", "high"]) == 4
    assert main(["wait", "lan", "--fail-on", "open"]) == 0


def test_a_scan_that_does_not_end_in_time_is_an_error(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan())
    assert main(["wait", "latest", "--timeout", "0.01"]) == 3
    assert "the scan has not ended after 0.01 s" in capsys.readouterr().err


def test_delete_has_the_stack_remove_a_scan_with_its_members(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan(**ENDED, members=MEMBERS))
    for member in MEMBERS:
        table.create_scan(a_scan(**ENDED, scan_id=member, name="m", member_of=SCAN_ID))
    assert main(["delete", SCAN_ID, "--yes", "--no-wait"]) == 0
    assert ids_to_remove(table) == {SCAN_ID, *MEMBERS}
    assert "3 scans will be removed" in capsys.readouterr().err


def test_a_member_is_not_removed_alone_while_its_scan_counts_it(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan(**ENDED, members=MEMBERS))
    for member in MEMBERS:
        table.create_scan(a_scan(**ENDED, scan_id=member, name="m", member_of=SCAN_ID))
    assert main(["delete", MEMBERS[0], "--yes", "--no-wait"]) == 2
    assert f"nothing was removed. Remove all of it: cascan delete {SCAN_ID}" in capsys.readouterr().err
    assert ids_to_remove(table) == set()
    del table.scans[SCAN_ID]  # nothing counts it any more
    assert main(["delete", MEMBERS[0], "--yes", "--no-wait"]) == 0
    assert ids_to_remove(table) == {MEMBERS[0]}


def test_delete_waits_until_the_scan_is_removed(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan(**ENDED))
    monkeypatch.setattr(table, "add_to_agenda", lambda entry: table.scans.pop(entry.scan_id))
    assert main(["delete", "latest", "--yes"]) == 0
    assert "1 scan removed; inventory and history stay" in capsys.readouterr().err


def test_a_scan_that_is_not_removed_in_time_is_an_error(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan(**ENDED))
    assert main(["delete", "latest", "--yes", "--timeout", "0.01"]) == 3
    assert "1 scan not removed after 0.01 s" in capsys.readouterr().err


@pytest.mark.parametrize("scan", [{}, {"state": ScanState.CANCELLED, "shards_open": 1}])
def test_a_scan_that_has_not_ended_stays(
    scan: dict[str, Any], table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan(**scan))
    assert main(["delete", SCAN_ID, "--yes"]) == 2
    assert "has not ended" in capsys.readouterr().err
    assert ids_to_remove(table) == set()


def test_without_a_terminal_delete_wants_a_confirmation(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.create_scan(a_scan(**ENDED))
    assert main(["delete", SCAN_ID]) == 2
    assert "confirm with --yes" in capsys.readouterr().err
    assert ids_to_remove(table) == set()


@pytest.mark.parametrize(("answer", "code", "removed"), [("y", 0, {SCAN_ID}), ("", 2, set[str]())])
def test_on_a_terminal_delete_asks(
    answer: str, code: int, removed: set[str], table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.create_scan(a_scan(**ENDED))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert main(["delete", SCAN_ID, "--no-wait"]) == code
    assert ids_to_remove(table) == removed
