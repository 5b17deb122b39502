"""A halted stack says so to whoever waits for a scan or looks at the stack: by whom, why, and how to lift it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cascan.aws.s3.operator_records import PREFIX
from cascan.model.agenda import Switch
from cascan.model.scan import Outcome, ScanState
from cascan.recovery.operator_records import SWITCH, is_switch_recorded, record_switch
from cascan_cli.commands import local
from cascan_cli.local.guard import RESERVED_BYTES
from cascan_cli.local.stack import Status
from cascan_cli.local.state import Running, StateDir
from cascan_cli.stack import follow
from cascan_cli.stack.follow import wait_for_end
from cascan_cli.stack.health import LOOKS_BETWEEN, StackWatch, read_stored_switch
from cascan_cli.stack.open import StackGateways
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.support.builders import NOW, SCAN_ID, a_scan

SWITCHED = Switch(halted_at=NOW, by="soc", reason="too loud", sender="AROA1234567890EXAMPLE:ada")
SENTENCE = "by soc (too loud), requested by the principal AROA1234567890EXAMPLE:ada; cascan halt --lift ends the halt"


def test_a_halt_and_its_end_are_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    table = MemoryScanTable()
    watch = StackWatch(table)
    table.halt(SWITCHED)
    for _ in range(3 * LOOKS_BETWEEN):
        watch.look()
    table.lift()
    for _ in range(3 * LOOKS_BETWEEN):
        watch.look()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].endswith(SENTENCE)
    assert "is no longer halted" in said[1]


def test_a_command_that_waits_for_a_scan_says_that_the_stack_is_halted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table, looks = MemoryScanTable(), 0
    table.halt(SWITCHED)
    table.create_scan(a_scan())

    def look_again(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks > 2 * follow.HEALTH_AFTER_POLLS:
            table.scans[SCAN_ID] = a_scan(state=ScanState.DONE, outcome=Outcome.COMPLETE)

    monkeypatch.setattr("cascan_cli.stack.follow.time.sleep", look_again)
    scan = wait_for_end(lambda: table.get_scan(SCAN_ID), table, 60, StackWatch(table))
    assert scan.state is ScanState.DONE
    assert SENTENCE in capsys.readouterr().err


def test_a_full_disk_and_its_end_are_printed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    free = [RESERVED_BYTES, RESERVED_BYTES - 1, 0, RESERVED_BYTES]
    monkeypatch.setattr("cascan_cli.stack.health.shutil.disk_usage", lambda _: Namespace(free=free.pop(0)))
    watch = StackWatch(MemoryScanTable(), tmp_path)
    for _ in range(len(free) * LOOKS_BETWEEN):
        watch.look()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert f"the disk of {tmp_path} has 31 MB left: reports and results cannot be stored" in said[0]
    assert "has free space again" in said[1]


def show_status(running: Running | None, root: Path, monkeypatch: pytest.MonkeyPatch, *, as_json: bool = False) -> None:
    found = Status(root, "http://127.0.0.1:1", running, {"ReportBucketName": "bucket", "ScanTableName": "scans"})
    monkeypatch.setattr(local, "status", lambda _: found)
    local.run(Namespace(action="status", state_dir=root, json=as_json))


def test_the_status_of_a_stack_that_is_up_says_that_it_is_halted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = MemoryScanTable()
    table.halt(SWITCHED)
    monkeypatch.setattr(local, "use_endpoint", lambda _: None)
    monkeypatch.setattr(StackGateways, "table", property(lambda _: table))
    show_status(Running(1, "2026-03-01T00:00:00Z"), tmp_path, monkeypatch)
    assert SENTENCE in capsys.readouterr().err

    show_status(Running(1, "2026-03-01T00:00:00Z"), tmp_path, monkeypatch, as_json=True)
    halted: Any = msgspec.json.decode(capsys.readouterr().out)["halted"]
    assert (halted["by"], halted["reason"]) == ("soc", "too loud")
    assert halted["sender"] == "AROA1234567890EXAMPLE:ada"


def test_the_status_of_a_stack_that_is_down_says_what_is_kept_of_a_halt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = StateDir(tmp_path).objects / "000000000000" / "bucket" / PREFIX / SWITCH
    record.parent.mkdir(parents=True)
    for content, halted in ((msgspec.json.encode(SWITCHED), True), (b"null", False), (b"\xff", False)):
        record.write_bytes(content)
        show_status(None, tmp_path, monkeypatch)
        assert (SENTENCE in capsys.readouterr().err) is halted
    record.unlink()
    assert read_stored_switch(StateDir(tmp_path).objects, "bucket") is None


def test_a_switch_is_kept_once_the_records_say_what_the_table_does() -> None:
    table, records = MemoryScanTable(), MemoryOperatorRecords()
    assert is_switch_recorded(None, records)
    table.halt(SWITCHED)
    assert not is_switch_recorded(table.switch(), records)
    record_switch(records, table)
    assert is_switch_recorded(table.switch(), records)
    table.lift()
    assert not is_switch_recorded(table.switch(), records)
