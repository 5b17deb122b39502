"""A report → one HTML file that loads nothing: the page, its style and its script, and the data as JSON.

Nothing of the data is markup. It lies in an element that no browser runs or shows, with `<`, `>` and `&` as JSON
escapes, and the script writes it as text. The page's policy allows this one script and this one style, by their
digests, and no address at all.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

import msgspec

from cascan.clock import to_wire
from cascan.html_report.build_report import Report
from cascan.html_report.finding_columns import SEVERITIES, FindingColumns
from cascan.html_report.summary import render_summary

SCRIPTS = ("texts.js", "elements.js", "virtual_table.js", "findings.js", "sections.js", "main.js")
PLACEHOLDER = re.compile(r"\{\{(?:title|summary|data)\}\}")  # in this order, once each
CHUNK = 20_000  # texts or numbers in one piece
# As they would be read in HTML; the last two end a line in old JavaScript
ESCAPES = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}


def render_report(report: Report) -> Iterator[bytes]:
    """The file, in chunks."""
    to_title, to_summary, to_data, end = PLACEHOLDER.split(_read_page())
    title = f"{report.title}, {to_wire(report.sections['generatedAt'])[:16].replace('T', ' ')} UTC"
    yield to_title.encode() + escape(title).encode()
    yield to_summary.encode() + render_summary(report).encode(errors="backslashreplace")
    yield to_data.encode()
    yield from render_data(report)
    yield end.encode()


def render_data(report: Report) -> Iterator[bytes]:
    """The data as JSON in which no character has a meaning in HTML."""
    gone = report.sections["gone"]
    plain = {name: value for name, value in report.sections.items() if name != "gone"}
    plain |= {"title": report.title, "notes": report.notes, "severityNames": SEVERITIES}
    yield b'{"plain":' + _encode(plain)
    yield b',"texts":'
    yield from _render_list(report.texts.texts)
    yield b',"findings":'
    yield from _render_columns(report.findings)
    yield b',"gone":{"resolved":%d,"columns":' % gone["resolved"]
    yield from _render_columns(gone["columns"])
    yield b"}}"


def _render_columns(findings: FindingColumns) -> Iterator[bytes]:
    separator = b"{"
    for name, numbers in findings.numbers.items():
        yield separator + _encode(name) + b":"
        if numbers and numbers.count(numbers[0]) == len(numbers):  # such as that of the only vantage
            yield _encode(numbers[0])
        else:
            yield from _render_list(numbers)
        separator = b","
    yield b',"severity":"' + bytes(findings.severities) + b'","standing":"' + bytes(findings.standings) + b'"'
    yield b',"id":'
    yield from _render_list(findings.ids)
    hosts = findings.hosts | {"rank": findings.rank_hosts()}
    certificates = sorted(findings.certificates)  # by the time when they end
    yield b',"hosts":' + _encode(hosts) + b',"certificates":' + _encode(certificates) + b"}"


def _render_list(values: Any) -> Iterator[bytes]:
    yield b"["
    for start in range(0, len(values), CHUNK):
        chunk = _encode(list(values[start : start + CHUNK]))
        yield (b"," if start else b"") + chunk[1:-1]
    yield b"]"


def _encode(value: Any) -> bytes:
    encoded = msgspec.json.encode(value)
    for character, replacement in ESCAPES.items():
        encoded = encoded.replace(character, replacement)
    return encoded


@cache
def _read_page() -> str:
    """The page with its style and script, and their digests in its policy. PLACEHOLDER is left."""
    folder = files("cascan.html_report") / "page"
    style = (folder / "report.css").read_text(encoding="utf-8")
    scripts = "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{scripts}}})();\n'
    page = (folder / "report.html").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return page.replace("{{policy}}", policy).replace("{{style}}", style).replace("{{script}}", script)


def _digest(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
