"""`cascan history backfill`: which scans, and what is said after."""

from __future__ import annotations

import json

import pytest

from cascan_cli.main import main
from tests.docs.a_stack import Stack, stack
from tests.support.builders import SCAN_ID

__all__ = ["stack"]


def test_without_names_every_scan_that_has_ended_and_has_reports_is_read(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.table.looks_by_vantage.clear()
    assert main(["history", "backfill", "--json"]) == 0
    out, err = capsys.readouterr()
    results = json.loads(out)
    assert {result["reports"] for result in results} == {1}
    assert "left out: not ended yet" in err
    stored = sum(len(looks) for looks in stack.table.looks_by_vantage.values())
    assert stored == sum(result["looks"] for result in results) > 0


def test_a_named_scan_is_read_and_its_looks_are_counted(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "backfill", stack.scanned]) == 0
    assert " from 1 report" in capsys.readouterr().err
    assert main(["history", "backfill", SCAN_ID]) == 2
    assert main(["history", "backfill", "latest", "--since", "2026-01-01"]) == 2
    assert "name scans, or use --since DATE" in capsys.readouterr().err


def test_since_takes_a_duration_as_every_other_command_does(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "backfill", "--since", "36500d"]) == 0
    assert " from 1 report" in capsys.readouterr().err
    assert main(["history", "backfill", "--since", "soon"]) == 2
    assert "--since" in capsys.readouterr().err


def test_a_report_that_is_gone_is_said_and_the_exit_code_is_1(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    for key in [key for key in stack.reports.objects if key.startswith("reports/")]:
        del stack.reports.objects[key]
    assert main(["history", "backfill", stack.scanned]) == 1
    assert "the report of shard 0 is gone" in capsys.readouterr().err
