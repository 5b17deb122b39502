"""`cascan findings`: which findings it prints, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.finding import Severity
from cascan_cli.commands import export_findings, findings
from cascan_cli.main import main
from tests.unit.cascan_cli.test_fail_on import Series, a_finding


@pytest.fixture(autouse=True)
def series(monkeypatch: pytest.MonkeyPatch) -> Series:
    series = Series()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=series.table)

    for module in (findings, export_findings):
        monkeypatch.setattr(module, "open_stack", access)
    series.scan(a_finding("a"), a_finding("b"))
    series.scan(
        a_finding("a"), a_finding("c"), a_finding("d", severity=Severity.HIGH), a_finding("e", suppressed="known")
    )
    return series


def names(out: str) -> list[str]:
    return [line.split("\t")[3] for line in out.splitlines()]


def test_new_lists_what_the_scan_before_did_not_have(series: Series, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "lan", "--new"]) == 0
    out, err = capsys.readouterr()
    assert names(out) == ["d", "c"]
    assert f"compared with scan {'1':a>16}" in err


def test_an_export_has_the_new_findings_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "lan", "--new", "--as", "jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(json.loads(line)["name"] for line in lines) == ["c", "d"]


def test_in_the_first_scan_nothing_is_new_which_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", f"{'1':a>16}", "--new"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no earlier scan" in err


def test_more_findings_than_are_sorted_say_first_that_they_are_in_order_of_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("cascan.limits", "cascan.queries.finding_query"):
        monkeypatch.setattr(f"{module}.MAX_SORTED_FINDINGS", 3)
    assert main(["findings", "lan"]) == 0
    out, err = capsys.readouterr()
    assert names(out) == ["a", "c", "d", "e"]
    assert err.splitlines()[0] == "cascan: more than 3 findings: in order of address, not of severity"
    assert "1 HIGH" in err


def test_pages_of_a_table_go_on_where_the_last_one_ended(capsys: pytest.CaptureFixture[str]) -> None:
    listed, more = list[str](), list[str]()
    while True:
        assert main(["findings", "lan", "--limit", "3", *more]) == 0
        out, err = capsys.readouterr()
        listed += names(out)
        last_line = err.splitlines()[-1]
        if "--after" not in last_line:
            break
        more = ["--after", last_line.rpartition(" ")[2]]
    assert listed == ["d", "a", "c", "e"]


def test_a_page_as_json_names_the_next_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "lan", "--limit", "3", "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert [finding["name"] for finding in page["findings"]] == ["d", "a", "c"]
    assert main(["findings", "lan", "--limit", "3", "--json", "--after", page["next"]]) == 0
    page = json.loads(capsys.readouterr().out)
    assert ([finding["name"] for finding in page["findings"]], page["next"]) == (["e"], "")


def test_findings_made_before_a_time_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "lan", "--since", "2026-03-02"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["findings", "lan", "--since", "2026-03-01T00:00Z"]) == 0
    assert len(names(capsys.readouterr().out)) == 4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("lan --limit 0", "--limit 0: must be at least 1"),
        ("lan --after x", "give --limit as well"),
        ("lan --limit 1 --after x", "--after x: this list has no such cursor"),
        ("lan --limit 1 --as-targets", "leave out --now and --as-targets"),
        ("--now --new", "give SCAN in place of --now"),
        ("lan --since yesterday", "--since 'yesterday': must be a date"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["findings", *options.split()]) == 2
    assert sentence in capsys.readouterr().err
