"""Whoever looks at a scan that is not complete sees why: which name, host or shard, and what happened to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.request import ScanRequest
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.model.shard import NmapRun
from cascan_cli.commands import findings, report, scans
from cascan_cli.errors import EXIT_FAILED
from cascan_cli.main import main
from cascan_cli.output.scan import SHOWN_REASONS, print_outcome, scan_summary
from cascan_cli.stack.open import StackGateways
from tests.fakes import MemoryReportStore, MemoryScanTable
from tests.support.builders import SCAN_ID, a_scan, a_shard

FAILED = Reason.of(ReasonCode.LOOKUP_FAILED, "db.test", "db.test: DNS failed: SERVFAIL from 10.0.0.2")
STOPPED = Reason.of(ReasonCode.TIME_LIMIT, "shard 3 (10.0.3.0/24)", "nmap was stopped at the shard's time limit")
REASONS = Reasons.of([FAILED, STOPPED], {"host-timed-out": 7}).at_shard(3)
FIRST = "lookup-failed: db.test: DNS failed: SERVFAIL from 10.0.0.2"
SECOND = "time-limit: shard 3 (10.0.3.0/24): nmap was stopped at the shard's time limit"


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> StackGateways:
    table, reports = MemoryScanTable(), MemoryReportStore()
    table.create_scan(
        a_scan(
            state=ScanState.DONE,
            outcome=Outcome.PARTIAL,
            reasons=REASONS,
            shards_open=0,
            addresses=3,
            extra_addresses=15,
            hosts_up=16,
        )
    )
    reports.objects[f"reports/{SCAN_ID}/000000/1.xml"] = b"<nmaprun/>"
    opened = SimpleNamespace(table=table, reports=reports, uri=str)

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield opened

    for command in (findings, report, scans):
        monkeypatch.setattr(command, "open_stack", access)
    return cast("StackGateways", opened)


def test_a_scan_that_was_followed_to_its_end_says_why_it_is_not_complete(
    stack: StackGateways, capsys: pytest.CaptureFixture[str]
) -> None:
    (scan,) = stack.table.list_scans(1)
    print_outcome(scan, stack)
    told = capsys.readouterr().err
    assert "16 of 18 addresses up" in told
    assert FIRST in told
    assert SECOND in told
    assert "and 7 more" in told


def test_a_scan_that_was_suspended_while_it_was_followed_says_what_it_found_and_how_it_continues(
    stack: StackGateways, capsys: pytest.CaptureFixture[str]
) -> None:
    print_outcome(a_scan(state=ScanState.SUSPENDED, findings=Counts(count=2), hosts_up=1), stack)
    assert "Suspended; 2 findings, 1 of 1 address up; continue it: cascan resume" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["findings", "findings --json", "report", "report --xml"])
def test_commands_that_print_results_say_what_is_missing(
    stack: StackGateways, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.table.add_shards([a_shard(attempt=1)])
    main([*words.split(), SCAN_ID])
    told = capsys.readouterr()
    assert FIRST in told.err
    assert SECOND in told.err
    assert "SERVFAIL" not in told.out  # what is piped on stays what it is


def test_a_scan_of_several_vantages_lists_the_reports_of_all_and_merges_none(
    stack: StackGateways, capsys: pytest.CaptureFixture[str]
) -> None:
    parent, office = "p" * 16, "o" * 16
    stack.table.add_shards([a_shard(attempt=1, run=NmapRun()), a_shard(scan_id=office, attempt=1, run=NmapRun())])
    stack.table.create_scan(a_scan(scan_id=office, vantage="office"))
    scan = a_scan(scan_id=parent, members=(SCAN_ID, office), vantage="", state=ScanState.DONE)
    stack.table.create_scan(scan)
    stack.reports.objects[f"reports/{office}/000000/1.xml"] = b"<nmaprun/>"  # type: ignore[attr-defined]
    main(["report", parent, "--json"])
    listed = [f"reports/{scan_id}/000000/1.xml" for scan_id in (SCAN_ID, office)]
    assert json.loads(capsys.readouterr().out) == listed
    print_outcome(scan, stack)
    printed = capsys.readouterr().err
    assert all(f"cascan report {scan_id} --xml" in printed for scan_id in (SCAN_ID, office))
    assert main(["report", parent, "--xml"]) == EXIT_FAILED
    assert f"cascan report {office} --xml (office)" in capsys.readouterr().err


def test_a_list_of_scans_has_the_first_reason_and_as_json_all_that_are_kept(
    stack: StackGateways, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["scans"])
    assert "db.test: DNS failed: SERVFAIL from 10.0.0.2 (and 8 more)" in capsys.readouterr().out
    main(["scans", "--json"])
    (scan,) = json.loads(capsys.readouterr().out)
    assert scan["reasons"]["counts"] == {"lookup-failed": 1, "time-limit": 1, "host-timed-out": 7}
    assert [reason["subject"] for reason in scan["reasons"]["listed"]] == ["db.test", "shard 3 (10.0.3.0/24)"]
    assert {reason["shard"] for reason in scan["reasons"]["listed"]} == {3}
    assert scan["addresses"] == 18


def test_a_long_list_of_reasons_is_cut_with_its_length(
    stack: StackGateways, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [Reason.of(ReasonCode.NAME_NOT_FOUND, f"{n}.test", f"{n}.test: no such name") for n in range(300)]
    scan = a_scan(state=ScanState.DONE, outcome=Outcome.UNRESOLVED, reasons=Reasons.of(many), shards_open=0)
    print_outcome(scan, stack)
    lines = capsys.readouterr().err.splitlines()
    assert sum("no such name" in line for line in lines) == SHOWN_REASONS
    assert any(f"and {300 - SHOWN_REASONS} more" in line for line in lines)


def test_the_permission_and_the_contact_of_the_request_are_printed(
    stack: StackGateways, capsys: pytest.CaptureFixture[str]
) -> None:
    request = ScanRequest(targets=("10.0.0.1",), authorization="CHG-7\x1b[2J", contact="soc@example.org")
    scan = a_scan(request=request)
    print_outcome(scan, stack)
    said = f"scan {scan.scan_id} authorized by CHG-7\\x1b[2J; contact soc@example.org"
    assert said in capsys.readouterr().err
    assert (scan_summary(scan)["authorization"], scan_summary(scan)["contact"]) == ("CHG-7\x1b[2J", "soc@example.org")
