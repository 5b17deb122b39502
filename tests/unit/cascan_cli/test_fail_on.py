"""`--fail-on`: which results end a command with exit code 4."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cascan.model.finding import Finding, HostFindings, Severity
from cascan.model.scan import Outcome, Scan, ScanState
from cascan_cli.main import main
from cascan_cli.stack.fail_on import apply_conditions, choose_worst
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, a_scan

ALL = ("new", "high", "open", "changed")


def a_finding(
    name: str, category: str = "Host", severity: Severity = Severity.INFORMATIONAL, **attributes: Any
) -> Finding:
    return Finding(
        id=name,
        fingerprint=name,
        parsed_at=NOW,
        name=name,
        description="",
        category=category,
        severity=severity,
        osi_layer="NETWORK",
        location="",
        attributes=attributes,
    )


class Series:
    """A table with scans, each an hour after the one before."""

    def __init__(self) -> None:
        self.table = MemoryScanTable()
        self.count = 0

    def scan(self, *findings: Finding, **fields: Any) -> Scan:
        self.count += 1
        scan = a_scan(
            **{
                "scan_id": f"{self.count:a>16}",
                "requested_at": NOW + timedelta(hours=self.count),
                "state": ScanState.DONE,
                "outcome": Outcome.COMPLETE,
                **fields,
            }
        )
        self.table.create_scan(scan)
        self.table.put_findings(scan.scan_id, [HostFindings("10.0.0.1", findings)])
        return scan

    def exit_code(self, scan: Scan, *conditions: str, code: int = 0) -> int:
        return apply_conditions(code, scan, self.table.findings(scan.scan_id), self.table, conditions)


@pytest.mark.parametrize(
    ("finding", "met"),
    [
        (a_finding("a", severity=Severity.HIGH), {"high"}),
        (a_finding("a", severity=Severity.MEDIUM), set[str]()),
        (a_finding("a", severity=Severity.HIGH, suppressed="known"), set[str]()),
        (a_finding("a", severity=Severity.HIGH, accepted_until="2027-01-01"), set[str]()),
        (a_finding("a", "Open Port"), {"open"}),
        (a_finding("a", "Open or Filtered Port"), set[str]()),
    ],
)
def test_high_and_open_are_met_by_one_finding(finding: Finding, met: set[str]) -> None:
    series = Series()
    scan = series.scan(finding)
    assert {condition for condition in ALL if series.exit_code(scan, condition) == 4} == met


def test_new_is_what_the_scan_before_in_the_series_did_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    series = Series()
    series.scan(a_finding("a"), a_finding("b"))
    series.scan(a_finding("c"), name="another series")
    series.scan(a_finding("c"), vantage="office")
    series.scan(a_finding("c"), state=ScanState.ERRORED)
    same = series.scan(a_finding("a"))
    more = series.scan(a_finding("a"), a_finding("c"), a_finding("d", suppressed="known"))
    assert series.exit_code(same, "new") == 0
    assert series.exit_code(more, "new") == 4
    assert capsys.readouterr().err == f"cascan: --fail-on new: 1 finding that scan {same.scan_id} did not have\n"


def test_in_the_first_scan_of_a_series_nothing_is_new_which_a_note_says(capsys: pytest.CaptureFixture[str]) -> None:
    series = Series()
    assert series.exit_code(series.scan(a_finding("a")), "new") == 0
    assert "series 'lan' has no earlier scan" in capsys.readouterr().err


def test_any_change_against_earlier_scans_counts() -> None:
    series = Series()
    assert series.exit_code(series.scan(changes={"HostGone": 1}), "changed") == 4
    assert series.exit_code(series.scan(changes={"HostGone": 0}), "changed") == 0


@pytest.mark.parametrize(("code", "met"), [(0, 4), (1, 4), (2, 2), (3, 3)])
def test_a_condition_takes_the_place_of_done_and_partial_only(code: int, met: int) -> None:
    series = Series()
    scan = series.scan(a_finding("a", "Open Port"))
    assert series.exit_code(scan, "open", code=code) == met
    assert series.exit_code(scan, "high", code=code) == code
    assert series.exit_code(scan, code=code) == code


def test_of_several_scans_the_worst_exit_code_counts() -> None:
    assert [choose_worst(codes) for codes in ([0, 1], [1, 4, 0], [4, 2], [2, 3, 4])] == [1, 4, 2, 3]


@pytest.mark.parametrize("line", ["scan 10.0.0.1", "submit -f /dev/null"])
def test_fail_on_without_waiting_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*line.split(), "--no-wait", "--fail-on", "high"]) == 2
    assert "--fail-on needs the result of the scan" in capsys.readouterr().err
