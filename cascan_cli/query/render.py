"""The result of a query → a table, or a document in chunks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from cascan.formats.csv_lines import escape_formula
from cascan.formats.markdown import escape_markdown
from cascan.formats.text import shorten
from cascan.limits import MAX_TABLE_CELL_CHARS
from cascan_cli.output.table import print_table
from cascan_cli.query.database import Column, Result

JSON_TYPE = "JSON"
INTEGERS = range(-(2**63), 2**64)  # of 64 bits, with or without a sign; others are written as text


def print_result(result: Result) -> None:
    print_table([column.name for column in result.columns], ([_to_text(value) for value in row] for row in result))


def render_csv(result: Result) -> Iterator[bytes]:
    yield _csv_line(column.name for column in result.columns)
    for row in result:
        yield _csv_line(map(_to_text, row))


def render_jsonl(result: Result) -> Iterator[bytes]:
    names = _distinct_names(result)
    for row in result:
        yield _encode_row(names, result, row) + b"\n"


def render_json(result: Result) -> Iterator[bytes]:
    names = _distinct_names(result)
    separator = b"["
    for row in result:
        yield b"%b\n  %b" % (separator, _encode_row(names, result, row))
        separator = b","
    yield b"[]\n" if separator == b"[" else b"\n]\n"


def render_md(result: Result) -> Iterator[bytes]:
    titles = [escape_markdown(column.name) for column in result.columns]
    yield f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}\n".encode()
    for row in result:
        cells = (escape_markdown(shorten(_to_text(value), MAX_TABLE_CELL_CHARS)) for value in row)
        yield f"| {' | '.join(cells)} |\n".encode()


RENDERERS = {"csv": render_csv, "json": render_json, "jsonl": render_jsonl, "md": render_md}


def _distinct_names(result: Result) -> list[str]:
    """The names of the columns; a name that occurs again gets a number, since the keys of an object differ."""
    names: list[str] = []
    for column in result.columns:
        name, number = column.name, 1
        while name in names:
            number += 1
            name = f"{column.name}_{number}"
        names.append(name)
    return names


def _encode_row(names: list[str], result: Result, row: tuple[Any, ...]) -> bytes:
    values = (_to_json(value, column) for value, column in zip(row, result.columns, strict=True))
    return msgspec.json.encode(dict(zip(names, values, strict=True)))


def _to_json(value: Any, column: Column) -> Any:
    if column.type == JSON_TYPE and isinstance(value, str):
        return _to_raw(value)
    return _to_plain(value)


def _to_raw(text: str) -> msgspec.Raw | str:
    """The JSON on one line. DuckDB also takes what is none, such as NaN: that stays a text."""
    try:
        return msgspec.Raw(msgspec.json.format(text.encode(), indent=-1))
    except msgspec.DecodeError:
        return text


def _to_plain(value: Any) -> Any:
    """The value in JSON's types. Times are UTC; a number with a fraction is a float, NaN is null."""
    match value:
        case bool() | float() | str() | None:
            return value
        case int():
            return value if value in INTEGERS else str(value)
        case Decimal():
            return float(value)
        case list() | tuple():
            return [_to_plain(item) for item in value]
        case dict():
            return {_to_text(key): _to_plain(item) for key, item in value.items()}
        case _:
            return _to_text(value)


def _to_text(value: Any) -> str:
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = f"{value.replace(tzinfo=None).isoformat()}Z"
        case date() | time():
            text = value.isoformat()
        case timedelta():
            text = f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + " s"
        case bytes():
            text = value.hex()
        case list() | tuple() | dict():
            text = msgspec.json.encode(_to_plain(value)).decode()
        case _:
            text = str(value)
    return text


def _csv_line(cells: Iterator[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(escape_formula, cells))
    return text.getvalue().encode()
