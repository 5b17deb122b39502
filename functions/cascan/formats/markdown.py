"""Markdown: a title, a table with a line for each finding, and the counts.

Text from scanned hosts is escaped: it makes no markup, no HTML and no link, in whatever dialect.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from cascan.clock import to_wire
from cascan.formats.facts import find_place, read_text
from cascan.formats.records import Export, Record, Status
from cascan.formats.text import shorten, to_line
from cascan.limits import MAX_TABLE_CELL_CHARS
from cascan.rules.severity import to_count_key

COLUMNS = ("Severity", "Host", "Port", "Finding", "Detail", "State", "Seen")
# In a line of text; | separates cells, $ begins a formula, {} an expression
ESCAPES = str.maketrans({char: f"\\{char}" for char in "\\`*_[]|~${}"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
LINK_STARTS = re.compile(r"(www)\.|:(?=//)", re.IGNORECASE)  # what readers turn into links by themselves
MENTION = re.compile(r"(?<![\w.])@(?=\w)")  # trackers send a message to whom a text mentions, also after `\\@`
BLOCK_STARTS = "#+=-0123456789"
BLOCK_START = re.compile(r"^(?=[#+=-])|^(\d+)(?=[.)](?:\s|$))")


def render_md(records: Iterable[Record], export: Export) -> Iterator[bytes]:
    yield from render_head(export)
    counts = Counter[str]()
    for record in records:
        if not counts:
            yield render_table_head(COLUMNS)
        counts[_describe_severity(record)] += 1
        yield render_table_row(_cells(record))
    listed = ", ".join(f"{count} {escape_markdown(key)}" for key, count in sorted(counts.items()))
    yield f"\n{listed or 'No findings'}.\n".encode()


def render_head(export: Export) -> Iterator[bytes]:
    """The title, and what a reader of the document has to know."""
    yield f"# {escape_markdown(export.title)}\n\n".encode()
    yield f"Made by cascan {escape_markdown(export.version)} at {to_wire(export.generated_at)}.\n".encode()
    for note in export.notes:
        yield f"\n{escape_markdown(note)}\n".encode()


def render_table_head(titles: Sequence[str]) -> bytes:
    listed = " | ".join(map(escape_markdown, titles))
    return f"\n| {listed} |\n|{' --- |' * len(titles)}\n".encode()


def render_table_row(cells: Iterable[object]) -> bytes:
    texts = ("" if cell is None else str(cell) for cell in cells)
    escaped = (escape_markdown(shorten(text, MAX_TABLE_CELL_CHARS)) for text in texts)
    return f"| {' | '.join(escaped)} |\n".encode()


def escape_markdown(value: object) -> str:
    """The value as text of one line, without any meaning in Markdown or HTML."""
    text = to_line(value).translate(ESCAPES)
    if "//" in text or "ww." in text.lower():  # most texts have no link
        text = LINK_STARTS.sub(_escape_link, text)
    if "@" in text:
        text = MENTION.sub("\uff20", text)
    return BLOCK_START.sub(r"\1\\", text) if text[:1] in BLOCK_STARTS else text


def _escape_link(match: re.Match[str]) -> str:
    return f"{match[1]}\\." if match[1] else "\\:"


def _cells(record: Record) -> Iterator[str]:
    finding, place = record.finding, find_place(record.finding)
    yield _describe_severity(record)
    names = dict.fromkeys(filter(None, (place.host, place.hostname)))
    yield " ".join((*names, *([f"from {record.vantage}"] if record.vantage != "default" else [])))
    yield f"{place.port}/{place.protocol or 'tcp'}" if place.port is not None else ""
    yield to_line(finding.name[:MAX_TABLE_CELL_CHARS])
    details = (read_text(finding, name) for name in ("serviceProduct", "serviceVersion", "title"))
    yield " ".join(filter(None, (*details, record.owner and f"owner {to_line(record.owner)}")))
    state = record.status if record.status is not Status.OPEN or not record.change else ""
    yield ", ".join(filter(None, (state, record.change, to_line(record.note))))
    yield " to ".join(dict.fromkeys(f"{at:%Y-%m-%d}" for at in (record.first_seen, record.seen_at) if at))


def _describe_severity(record: Record) -> str:
    return to_count_key(record.finding).strip("()").lower()
