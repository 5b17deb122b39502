"""`--as FORMAT -o FILE` of lists of anything but findings: every such list is written in every format of tables."""

from __future__ import annotations

import csv
import io
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.formats.registry import FORMATS, TABLE_FORMATS
from cascan_cli.main import main
from cascan_cli.output import export_file
from cascan_cli.output.export_file import ExportProgress, format_size, write_document
from cascan_cli.output.listing import Listing, print_listing
from tests.docs.a_stack import Stack, stack

__all__ = ["stack"]

LISTS = (
    "scans",
    "at 2026-03-01T12:30Z",
    "when 10.0.0.1",
    "when 52:54:00:12:34:56",
    "reach 10.0.0.1",
    "schedule list",
    "rules list",
    "vantage list",
    "network list",
)
HOSTILE = {
    "banner": '=cmd|"/c calc"!A1',
    "markup": "<script>| [x](http://evil)",
    "control": "a\nb\x1b[2J",
    "none": None,
}


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("line", LISTS)
def test_a_list_is_written_in_every_format_of_tables(
    line: str, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, values = line.split(), json.loads(run(capsys, *line.split(), "--json"))
    documents: dict[str, str] = {}
    for form in TABLE_FORMATS:
        file = tmp_path / form
        assert run(capsys, *words, "--as", form, "-o", str(file)) == ""
        documents[form] = file.read_text()
    assert json.loads(documents["json"]) == values
    assert [json.loads(text) for text in documents["jsonl"].splitlines()] == values
    rows = list(csv.DictReader(io.StringIO(documents["csv"])))
    assert len(rows) >= len(values) > 0
    assert all(name == name.lower() and " " not in name for name in rows[0])
    assert documents["md"].count("\n| ") == len(rows) + 2  # the titles and the line below


def test_a_document_has_all_targets_and_no_password(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal shows the first targets, and `--json` leaves nothing out."""
    scan = stack.table.scans[stack.scanned]
    assert scan.request
    targets = tuple(f"10.0.0.{number}" for number in range(1, 9))
    parameters = ("--script-args", "smbpassword=hunter2,x=1")
    request = replace(scan.request, targets=targets, parameters=parameters)
    stack.table.scans[stack.scanned] = replace(scan, request=request)
    documents = [run(capsys, "scans", "--as", form) for form in TABLE_FORMATS]
    documents.append(run(capsys, "scans", "--json", "-o", "-"))
    assert all("hunter2" not in document and "x=1" in document for document in documents)
    assert " ".join(targets) in documents[TABLE_FORMATS.index("csv")]
    assert "10.0.0.4" not in run(capsys, "scans")
    assert "hunter2" in run(capsys, "scans", "--json")


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "md"])
def test_hostile_texts_are_inert_in_a_list(form: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    listing: Listing[Any] = Listing(
        title="a | list",
        items=[HOSTILE, "\udc80"],
        columns=("ONE", "TWO WORDS"),
        to_row=lambda item: list(item.values())[:2] if isinstance(item, dict) else (item, None),
        to_json=lambda item: item,
    )
    print_listing(listing, Namespace(form=form, output=str(file), json=False))
    text = file.read_text()
    if form == "csv":
        assert text == 'one,two_words\n"\'=cmd|""/c calc""!A1",<script>| [x](http://evil)\n\\udc80,\n'
    elif form == "md":
        assert '| =cmd\\|"/c calc"!A1 | &lt;script&gt;\\| \\[x\\](http\\://evil) |'.replace("| =", "| \\=") in text
        assert text.startswith("# a \\| list\n")
    else:
        values = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
        assert values == [HOSTILE, "\udc80"]


def test_an_empty_list_is_an_empty_document(tmp_path: Path) -> None:
    texts = {}
    for form in TABLE_FORMATS:
        listing: Listing[Any] = Listing(title="t", items=(), columns=("A",), to_row=list, to_json=list)
        print_listing(listing, Namespace(form=form, output=str(tmp_path / form), json=False))
        texts[form] = (tmp_path / form).read_text()
    assert (texts["json"], texts["jsonl"], texts["csv"]) == ("[]\n", "", "a\n")
    assert texts["md"].endswith("\nNo rows.\n")


@pytest.mark.parametrize("form", sorted({*FORMATS} - {*TABLE_FORMATS}))
def test_a_format_of_findings_is_refused_for_other_lists(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["schedule", "list", "--as", form])
    error = capsys.readouterr().err
    assert (ended.value.code, f"{form} is a format of findings; write one of json, jsonl, csv, md" in error) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("scans -o x", "-o needs --as FORMAT"),
        ("scans --json --as md", "--json and --as md contradict each other"),
        ("at now --evidence --as csv", "--as csv has no evidence"),
        ("when 10.0.0.1 --evidence --as md", "--as md has no evidence"),
        ("search ssh -o x", "-o needs --as FORMAT"),
        ("host 10.0.0.1 --with-secrets", "--with-secrets needs --as FORMAT"),
        ("doctor --live 127.0.0.1 --as csv", "leave out --as and -o"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    line: str, sentence: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    assert sentence in capsys.readouterr().err


def test_json_of_a_list_is_also_written_to_a_file(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = json.loads(run(capsys, "scans", "--json"))
    run(capsys, "scans", "--json", "-o", str(tmp_path / "scans.json"))
    assert json.loads((tmp_path / "scans.json").read_text()) == values


@pytest.mark.parametrize("line", ["search ssh", "host 10.0.0.1"])
def test_findings_of_a_search_and_of_a_host_are_written_in_every_format(
    line: str, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in FORMATS:
        run(capsys, *line.split(), "--as", form, "-o", str(tmp_path / form))
    uids = {json.loads(text)["record"]["uid"] for text in (tmp_path / "jsonl").read_text().splitlines()}
    run(capsys, "findings", "--now", "--as", "jsonl", "-o", str(tmp_path / "now"))
    now = {json.loads(text)["record"]["uid"] for text in (tmp_path / "now").read_text().splitlines()}
    assert uids
    assert uids & now, "the ids of the same findings are the same in every export"


class TestSearch:
    def test_the_records_are_the_findings_of_the_results_in_their_order(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        results = json.loads(run(capsys, "search", "open", "--json"))
        records = [json.loads(text) for text in run(capsys, "search", "open", "--as", "jsonl").splitlines()]
        assert [(record["name"], record["location"], record["severity"]) for record in records] == [
            (result["name"], result["location"], result["severity"]) for result in results
        ]

    def test_a_limit_holds_for_the_records(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        assert len(run(capsys, "search", "open", "--limit", "2", "--as", "jsonl").splitlines()) == 2


def be_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)


class TestWhatWasWritten:
    def test_in_a_terminal_it_is_the_rows_and_the_size(
        self, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        be_a_terminal(monkeypatch)
        file = tmp_path / "ports.csv"
        assert main(["at", "2026-03-01T12:30Z", "--as", "csv", "-o", str(file)]) == 0
        rows, size = len(file.read_text().splitlines()) - 1, file.stat().st_size
        assert f"cascan: {rows} ports, {format_size(size)} written to {file}\n" in capsys.readouterr().err

    def test_a_document_on_standard_output_is_alone(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        be_a_terminal(monkeypatch)
        assert main(["vantage", "list", "--as", "csv", "-o", "-"]) == 0
        out, err = capsys.readouterr()
        assert (out.startswith("vantage,"), err) == (True, "")

    def test_a_long_export_shows_how_far_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        be_a_terminal(monkeypatch)
        monkeypatch.setattr(export_file, "PROGRESS_AFTER_S", -1)
        output = str(tmp_path / "out")
        progress = ExportProgress(output, "finding")
        write_document((b"x" * 1_000 for _ in progress.count(range(1_000))), output, progress)
        err = capsys.readouterr().err
        assert "\r\x1b[2K1 finding, 1.0 kB so far, to " in err
        assert err.endswith(f"cascan: 1,000 findings, 1.0 MB written to {output}\n")


def test_outside_a_terminal_nothing_is_printed_about_a_file(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vantage", "list", "--as", "csv", "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == ""


def test_a_size_has_a_unit() -> None:
    sizes = {1: "1 byte", 999: "999 bytes", 1_000: "1.0 kB", 999_999: "1,000.0 kB", 12_345_678: "12.3 MB"}
    assert {size: format_size(size) for size in sizes} == sizes
