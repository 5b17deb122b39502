"""Tables: tabs when piped; in a terminal no line is wider than it, and no word is cut in two."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cascan_cli.output import table
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_json_list

HOSTILE = "\x1b[2J\x9b31m\r\n=cmd|calc é"
TITLES = ("SCAN", "NAME", "STATE", "OUTCOME", "REQUESTED", "FINDINGS", "CHANGES", "REMARK")
WHEN = "2026-03-01T18:20:57Z"
ROWS = [
    ("a" * 16, "office-lan", "Done", "complete", WHEN, 123, "2 opened 1 closed", ""),
    ("b" * 16, "datacentre-north-every-night", "Errored", "", WHEN, 0, "", "10.1.2.3 is outside AllowedTargets"),
    ("c" * 16, "x", "ParseCompleted", "nothing-answered", WHEN, 10_000, "", "3 of 10 shards wait"),
]
NARROW: dict[str, Any] = {"drop": ("CHANGES", "FINDINGS", "REQUESTED", "OUTCOME"), "whole": ("SCAN",)}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Show = Callable[..., str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Prints a table in a terminal so wide, and gives what is on it, without bold letters."""

    def run(*table: Any, columns: int = 80, **more: Any) -> str:
        for name, value in (("TERM", "xterm"), ("NO_COLOR", "1"), ("COLUMNS", str(columns))):
            monkeypatch.setenv(name, value)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal := Terminal())
            print_table(*table, **more)
        return terminal.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")

    return run


def test_piped_a_table_is_tab_separated_lines_without_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("one", 1), ("tab\there", None)])
    assert capsys.readouterr().out == "one\t1\ntab\\there\tNone\n"


def test_in_a_terminal_a_table_has_a_header_and_hostile_text_stays_in_its_cell(show: Show) -> None:
    shown = show(("NAME", "BANNER"), [("[red]x[/red]", HOSTILE)])
    assert "NAME" in shown
    assert "[red]x[/red]" in shown  # no markup of the table library either
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut_in_two(columns: int, show: Show) -> None:
    shown = show(TITLES, ROWS, columns=columns, **NARROW)
    whole = {word for text in (*TITLES, *(str(cell) for row in ROWS for cell in row)) for word in text.split()}
    whole |= {"2026-03-01", "18:20:57Z"}
    assert max(map(len, shown.splitlines())) <= columns
    for word in shown.split():
        assert word in whole or (word.endswith("…") and any(each.startswith(word[:-1]) for each in whole)), word
    assert all(row[0] in shown for row in ROWS)


def test_columns_without_room_are_left_out_with_a_message(show: Show, capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = show(TITLES, ROWS, columns=60, **NARROW).splitlines()
    assert header.split() == ["SCAN", "NAME", "STATE", "REMARK"]
    assert "10.1.2.3 is" in "\n".join(rows)
    said = "cascan: no room for OUTCOME, REQUESTED, FINDINGS, CHANGES; --json has all columns\n"
    assert capsys.readouterr().err == said


def test_a_wide_terminal_shows_everything_on_one_line_a_row(show: Show, capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = show(TITLES, ROWS, columns=200, **NARROW).splitlines()
    assert tuple(header.split()) == TITLES
    assert len(rows) == len(ROWS)
    assert "2026-03-01T18:20:57Z" in rows[0]
    assert capsys.readouterr().err == ""


def test_what_is_longer_than_a_line_is_folded_and_squeezes_nothing_else(show: Show) -> None:
    shown = show(("SHARD", "REPORT"), [(0, "s3://" + "x" * 100)], whole=("REPORT",)).splitlines()
    assert shown[0].split() == ["SHARD", "REPORT"]
    assert max(map(len, shown)) <= 80
    assert "".join(line[7:].strip() for line in shown[1:]) == "s3://" + "x" * 100


def test_a_table_without_rows_is_its_header(show: Show) -> None:
    assert show(("NAME", "BANNER"), []).split() == ["NAME", "BANNER"]
    many = show(tuple(f"COLUMN-{number}" for number in range(20)), [], drop=("COLUMN-1",))
    assert max(map(len, many.splitlines())) <= 80


def test_more_rows_than_are_fitted_are_printed_with_the_widths_of_the_first(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_FITTED_ROWS", 2)
    rows = [("a" * 16, "x"), ("b", "y"), ("c", "a longer text"), ("d", "z"), ("e", "z")]
    lines = show(("NAME", "TEXT"), rows).splitlines()
    assert [line.split()[0] for line in lines if line[:1].strip()] == ["NAME", "a" * 16, "b", "c", "d", "e"]
    assert lines[-1].index("z") == lines[2].index("y") == 18


def test_an_optional_column_is_there_for_the_rows_that_need_it(show: Show, capsys: pytest.CaptureFixture[str]) -> None:
    titles, with_none, with_one = ("A", "B"), [("1", ""), ("2", "")], [("1", ""), ("2", "x")]
    print_table(titles, with_one, optional=("B",))
    assert capsys.readouterr().out == "1\n2\tx\n"
    assert show(titles, with_none, optional=("B",)).split() == ["A", "1", "2"]
    assert show(titles, with_one, optional=("B",)).split() == ["A", "B", "1", "2", "x"]


def test_rows_that_are_piped_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> Iterator[tuple[str]]:
        yield ("first",)
        assert capsys.readouterr().out == "first\n"
        yield ("second",)

    print_table(("NAME",), rows())
    assert capsys.readouterr().out == "second\n"


LISTS = [
    [],
    [{}],
    [{"a": [1, {"b": "line\nbreak"}]}, "text", None, []],
    ["\x00\x1b\x7f\u2028é"],
]


@pytest.mark.parametrize("values", LISTS)
def test_json_is_that_of_the_standard_library(values: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    print_json(values)
    assert capsys.readouterr().out == json.dumps(values, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("values", LISTS)
def test_a_list_that_is_printed_as_it_comes_looks_like_any_other(
    values: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_json(values)
    whole = capsys.readouterr().out
    print_json_list(iter(values))
    assert capsys.readouterr().out == whole


def test_columns_are_left_out_before_one_is_narrower_than_its_comfort(show: Show) -> None:
    titles, row = ("SEVERITY", "CATEGORY", "FINDING"), ("HIGH", "Open Port", "Open Port: 8099 (http)")
    options: dict[str, Any] = {"drop": ("CATEGORY",), "columns": 34}
    assert "CATEGORY" in show(titles, [row], **options)
    assert show(titles, [row], comfort={"FINDING": 22}, **options).splitlines()[1].split("  ")[-1] == row[2]


def test_a_time_with_milliseconds_is_folded_between_its_date_and_its_hour(show: Show) -> None:
    out = show(("REQUESTED", "REMARK"), [("2026-03-01T18:20:57.123Z", "a remark of some length")], columns=38)
    assert "2026-03-01 " in out
    assert "18:20:57Z" in out


def test_a_terminal_shows_times_in_seconds_and_a_pipe_as_they_are(
    show: Show, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("2026-11-30T11:50:35.006Z", "at 2026-11-30T11:50:35.006Z")]
    assert "2026-11-30T11:50:35Z  at 2026-11-30T11:50:35.006Z" in show(("WHEN", "TEXT"), rows)
    print_table(("WHEN", "TEXT"), rows)
    assert capsys.readouterr().out == "2026-11-30T11:50:35.006Z\tat 2026-11-30T11:50:35.006Z\n"
