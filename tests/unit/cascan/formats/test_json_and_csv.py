"""JSON, JSON lines and CSV: a thousand varied findings are read back as they were."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest

from cascan.findings.to_json import to_json
from cascan.formats.csv_lines import COLUMNS
from cascan.formats.records import Record
from cascan.formats.registry import FORMATS, find_format, render_records
from tests.support.varied_findings import COUNT, EXPORT, SECRET, list_varied_records, make_secret_finding

WITH_SECRETS = msgspec.structs.replace(EXPORT, shows_secrets=True)
RECORDS = list_varied_records()


def render(name: str, records: tuple[Record, ...] = RECORDS) -> bytes:
    return b"".join(render_records(name, records, WITH_SECRETS))


def test_json_is_one_array_of_the_findings_with_their_scan_and_what_is_known_of_their_place() -> None:
    documents = json.loads(render("json"))
    assert len(documents) == COUNT
    for document, record in zip(documents, RECORDS, strict=True):
        about = document.pop("record")
        assert document == msgspec.to_builtins(to_json(record.finding, record.scan.fields if record.scan else None))
        assert (about["uid"], about["status"], about["vantage"]) == (record.uid, record.status, record.vantage)
        assert about.get("covered", True) == record.is_covered


def test_a_line_has_the_bytes_of_the_mapping_that_it_stands_for() -> None:
    """What records have in common is encoded once; nothing of one record may get into the next."""
    for line, record in zip(render("jsonl").splitlines(), RECORDS, strict=True):
        optional = {
            "first_seen": record.first_seen,
            "last_seen": record.last_seen,
            "labels": record.labels,
            "status": record.status,
            "vantage": record.vantage,
            "covered": None if record.is_covered else False,
            "change": record.change,
            "owner": record.owner,
            "note": record.note,
        }
        known = {name: value for name, value in optional.items() if value or value is False}
        document = to_json(record.finding, record.scan.fields if record.scan else None)
        assert line == msgspec.json.encode(document | {"record": {"uid": record.uid, **known}})


def test_a_line_of_json_lines_is_an_element_of_the_json_array() -> None:
    assert [json.loads(line) for line in render("jsonl").splitlines()] == json.loads(render("json"))


def test_json_of_nothing_is_an_empty_array() -> None:
    assert json.loads(render("json", ())) == []


def test_csv_has_a_line_for_each_finding_and_no_cell_that_is_a_formula() -> None:
    text = render("csv").decode()
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    assert (tuple(header), len(lines)) == (COLUMNS, COUNT)
    assert text.count("\n") == COUNT + 1
    for line in lines:
        assert len(line) == len(COLUMNS)
        assert not [cell for cell in line if cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))]


@pytest.mark.parametrize("name", FORMATS)
def test_secrets_are_left_out_unless_they_are_asked_for(name: str) -> None:
    record = Record(finding=make_secret_finding())
    assert SECRET.encode() not in b"".join(render_records(name, [record], EXPORT))


def test_secrets_are_shown_to_those_who_ask() -> None:
    assert SECRET.encode() in render("jsonl", (Record(finding=make_secret_finding()),))


def test_an_unknown_format_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(ValueError, match="write one of json, jsonl, csv"):
        find_format("pdf")


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_made_piece_by_piece(name: str) -> None:
    """The first bytes are there before the last record is read."""
    read = 0

    def count() -> object:
        nonlocal read
        for record in RECORDS:
            read += 1
            yield record

    chunks = render_records(name, count(), EXPORT)  # type: ignore[arg-type]
    next(chunks)
    assert read < COUNT / 2
