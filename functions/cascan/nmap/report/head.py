"""The start of a report up to the end of the root element's tag: a stream in, the root's attributes out."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import IO, NamedTuple
from xml.parsers import expat

from cascan.errors import UnreadableReport
from cascan.limits import MAX_HEAD_BYTES
from cascan.nmap.report.decode import CONTROLS_REPLACED, NOT_UTF8, decode_utf8, replace_forbidden

CHUNK_BYTES = 128 * 1024
ROOT = "nmaprun"
ROOT_TAG = re.compile(rb"<nmaprun(?:\s(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)?>")
DECLARATION = re.compile(r"<\?xml\s[^<>]*\?>")
DECLARED_LATE = "The XML declaration does not begin the report."


class ReportStart(NamedTuple):
    """The root element's attributes, and the bytes behind its tag that were read already."""

    attributes: dict[str, str]
    rest: bytes
    closed: bool  # `<nmaprun/>`: nothing follows
    length: int  # bytes of the start
    remarks: tuple[str, ...]


class _RootFound(Exception):
    """Ends the parsing: the root's tag was read."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        super().__init__(name)
        self.name, self.attributes = name, attributes


def read_start(stream: IO[bytes]) -> ReportStart:
    """The report's start.

    Raises: UnreadableReport: empty, not XML, another root element, or declarations inside the document type.
    """
    data = b""
    while True:
        chunk = stream.read(CHUNK_BYTES)
        data += chunk
        if not data:
            raise UnreadableReport("The report is empty.")
        if start := _find_start(data, final=not chunk):
            return start
        if not chunk or len(data) > MAX_HEAD_BYTES:
            why = "The report is cut short." if not chunk else f"It does not begin within {MAX_HEAD_BYTES} bytes."
            raise UnreadableReport(f"Not a report of nmap: no <{ROOT}> element. {why}")


def _find_start(data: bytes, *, final: bool) -> ReportStart | None:
    """The start, if it ends within the data."""
    sections = _split_at_tags(data)
    remarks: dict[str, None] = {}
    try:
        root, count = _parse(sections, final=final)
    except expat.ExpatError:
        readable = [_repair(section, is_first=number == 0) for number, section in enumerate(sections)]
        try:
            root, count = _parse([text for text, _ in readable], final=False)
        except expat.ExpatError as exc:
            raise UnreadableReport(_explain(exc)) from exc
        remarks = dict.fromkeys(remark for _, changes in readable[:count] for remark in changes)
    if root is None:
        return None
    return _to_start(root, data, sum(map(len, sections[:count])), tuple(remarks))


def _split_at_tags(data: bytes) -> list[bytes]:
    """The data, split behind all that looks like the root's tag, as one may be in a comment. At least one section."""
    ends = [match.end() for match in ROOT_TAG.finditer(data)]
    return [data[start:end] for start, end in pairwise([0, *ends])] if ends else [data]


def _repair(section: bytes, *, is_first: bool) -> tuple[bytes, list[str]]:
    """The section as XML allows it, and a sentence for each change."""
    text, is_utf8 = decode_utf8(section)
    remarks = [] if is_utf8 else [NOT_UTF8]
    if (readable := replace_forbidden(text)) != text:
        remarks.append(CONTROLS_REPLACED)
    declaration = DECLARATION.search(readable)
    if declaration and not (is_first and not readable[: declaration.start()].strip("\ufeff")):
        remarks.append(DECLARED_LATE)
        readable = DECLARATION.sub("", readable)
    return readable.encode(), remarks


def _to_start(root: _RootFound, data: bytes, length: int, remarks: tuple[str, ...]) -> ReportStart:
    if root.name != ROOT:
        kind = "nmap's list of scripts" if root.name == "nse-scripts" else "another kind of document"
        raise UnreadableReport(f"Not a report of a scan but {kind}: its root element is <{root.name[:64]}>.")
    return ReportStart(root.attributes, data[length:], data[:length].endswith(b"/>"), length, remarks)


def _parse(sections: list[bytes], *, final: bool) -> tuple[_RootFound | None, int]:
    """The first element, and the number of sections up to it.

    Raises: ExpatError: what precedes it is not well-formed.
    """
    parser = expat.ParserCreate("UTF-8")  # whatever the document declares: nmap writes ASCII
    parser.StartDoctypeDeclHandler = _on_doctype

    def on_start(name: str, attributes: dict[str, str]) -> None:
        raise _RootFound(name, attributes)

    parser.StartElementHandler = on_start
    for count, section in enumerate(sections, 1):
        try:
            parser.Parse(section, final and count == len(sections))
        except _RootFound as root:
            return root, count
    return None, 0


def _on_doctype(
    _name: str,
    _system: str | None,
    _public: str | None,
    has_internal_subset: bool,
) -> None:
    if has_internal_subset:
        raise UnreadableReport("The report declares entities or elements of its own, which nmap never does.")


def _explain(exc: expat.ExpatError) -> str:
    if exc.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
        return f"Not a report of nmap: no <{ROOT}> element. The report is cut short."
    sentence = f"The report is damaged on line {exc.lineno}: {expat.ErrorString(exc.code)}."
    return f"Not a report of nmap: no <{ROOT}> element. {sentence}"
