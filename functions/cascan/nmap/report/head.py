"""The start of a report, up to and with the root element's tag: in comes a stream, out come the root's attributes."""

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
    """What a report starts with, and the bytes behind it that were read already."""

    attributes: dict[str, str]
    rest: bytes
    closed: bool  # `<nmaprun/>`: there is no more
    length: int  # bytes of the start
    remarks: tuple[str, ...]


class _Found(Exception):
    """The root's tag was read."""

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
        if start := _start_in(data, final=not chunk):
            return start
        if not chunk or len(data) > MAX_HEAD_BYTES:
            why = "The report is cut short." if not chunk else f"It does not begin within {MAX_HEAD_BYTES} bytes."
            raise UnreadableReport(f"Not a report of nmap: no <{ROOT}> element. {why}")


def _start_in(data: bytes, *, final: bool) -> ReportStart | None:
    """The start, if it ends within the data."""
    pieces = _up_to_tags(data)
    remarks: dict[str, None] = {}
    try:
        found, count = _parse(pieces, final=final)
    except expat.ExpatError:
        readable = [_mended(piece, is_first=number == 0) for number, piece in enumerate(pieces)]
        try:
            found, count = _parse([text for text, _ in readable], final=False)
        except expat.ExpatError as exc:
            raise UnreadableReport(_why(exc)) from exc
        remarks = dict.fromkeys(remark for _, changes in readable[:count] for remark in changes)
    return _start(found, data, sum(map(len, pieces[:count])), tuple(remarks)) if found else None


def _up_to_tags(data: bytes) -> list[bytes]:
    """The data, cut behind all that looks like the root's tag (one may stand in a comment); all of it where none is."""
    ends = [match.end() for match in ROOT_TAG.finditer(data)]
    return [data[start:end] for start, end in pairwise([0, *ends])] if ends else [data]


def _mended(piece: bytes, *, is_first: bool) -> tuple[bytes, list[str]]:
    """The piece as XML has it, and what had to be changed for that."""
    text, is_utf8 = decode_utf8(piece)
    remarks = [] if is_utf8 else [NOT_UTF8]
    if (readable := replace_forbidden(text)) != text:
        remarks.append(CONTROLS_REPLACED)
    declaration = DECLARATION.search(readable)
    if declaration and not (is_first and not readable[: declaration.start()].strip("\ufeff")):
        remarks.append(DECLARED_LATE)
        readable = DECLARATION.sub("", readable)
    return readable.encode(), remarks


def _start(found: _Found, data: bytes, length: int, remarks: tuple[str, ...]) -> ReportStart:
    if found.name != ROOT:
        what = "nmap's list of scripts" if found.name == "nse-scripts" else "another kind of document"
        raise UnreadableReport(f"Not a report of a scan but {what}: its root element is <{found.name[:64]}>.")
    return ReportStart(found.attributes, data[length:], data[:length].endswith(b"/>"), length, remarks)


def _parse(pieces: list[bytes], *, final: bool) -> tuple[_Found | None, int]:
    """The first element, and how many pieces hold it.

    Raises: ExpatError: what stands before it is not well-formed.
    """
    parser = expat.ParserCreate("UTF-8")  # whatever the document declares: nmap writes ASCII
    parser.StartDoctypeDeclHandler = _on_doctype

    def on_start(name: str, attributes: dict[str, str]) -> None:
        raise _Found(name, attributes)

    parser.StartElementHandler = on_start
    for count, piece in enumerate(pieces, 1):
        try:
            parser.Parse(piece, final and count == len(pieces))
        except _Found as found:
            return found, count
    return None, 0


def _on_doctype(_name: str, _system: str | None, _public: str | None, has_internal_subset: bool) -> None:
    if has_internal_subset:
        raise UnreadableReport("The report declares entities or elements of its own, which nmap never does.")


def _why(exc: expat.ExpatError) -> str:
    if exc.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
        return f"Not a report of nmap: no <{ROOT}> element. The report is cut short."
    sentence = f"The report is damaged on line {exc.lineno}: {expat.ErrorString(exc.code)}."
    return f"Not a report of nmap: no <{ROOT}> element. {sentence}"
