"""`cascan reparse`: which scans, what is asked before, what is said after."""

from __future__ import annotations

import io
import json
import sys

import pytest
from msgspec.structs import replace

from cascan_cli.main import main
from tests.docs.a_stack import Stack, stack
from tests.support.builders import SCAN_ID

__all__ = ["stack"]


def test_a_scan_that_still_runs_is_refused(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reparse", stack.scanned, SCAN_ID]) == 2
    assert "its reports can be parsed again once it has ended" in capsys.readouterr().err


def test_the_html_report_is_made_anew(stack: Stack) -> None:
    assert main(["reparse", stack.scanned]) == 0
    assert f"results/{stack.scanned}/report.html" in stack.reports.objects


@pytest.mark.parametrize("words", [[], ["latest", "--all"], ["latest", "--since", "2026-01-01"]])
def test_scans_are_named_or_chosen_by_time(stack: Stack, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reparse", *words]) == 2
    assert "name scans, or use --all or --since TIME" in capsys.readouterr().err


def test_all_scans_that_have_ended_are_parsed_and_the_others_counted(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reparse", "--all", "--yes", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [result["reports"] for result in json.loads(out)] == [1, 1, 0]  # the last has members
    assert "2 scans left out: not ended yet" in err


def test_a_scan_with_members_is_parsed_after_them(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    parent = "e" * 16
    stack.table.scans[parent] = replace(stack.table.scans[parent], members=(stack.scanned,))
    assert main(["reparse", parent, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [(result["scan"], result["reports"]) for result in results] == [(stack.scanned, 1), (parent, 0)]
    assert results[0]["findings"] == results[1]["findings"] > 0


def test_since_leaves_earlier_scans_out(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    since = stack.table.scans[stack.scanned].requested_at.isoformat()
    assert main(["reparse", "--since", since, "--yes", "--json"]) == 0
    assert [result["scan"] for result in json.loads(capsys.readouterr().out)] == [stack.scanned]


def test_a_time_that_is_none_is_bad_input(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reparse", "--since", "yesterday"]) == 2
    assert "--since 'yesterday': must be a date or a time" in capsys.readouterr().err


def test_without_a_terminal_all_needs_yes(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["reparse", "--all"]) == 2
    assert "confirm with --yes" in capsys.readouterr().err


def test_a_report_that_is_gone_is_said_and_the_exit_code_is_1(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    for key in [key for key in stack.reports.objects if key.startswith("reports/")]:
        del stack.reports.objects[key]
    assert main(["reparse", stack.scanned]) == 1
    assert "the report of shard 0 is gone; its earlier findings stay" in capsys.readouterr().err
