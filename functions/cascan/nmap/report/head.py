"""The start of a report, up to and with the root element's tag: in comes a stream, out come the root's attributes."""

from __future__ import annotations

import re
from typing import IO, NamedTuple
from xml.parsers import expat

from cascan.errors import UnreadableReport
from cascan.limits import MAX_HEAD_BYTES
from cascan.nmap.report.text import NOT_UTF8, REPLACED, decoded, mended

CHUNK_BYTES = 128 * 1024
ROOT = "nmaprun"
ROOT_TAG = re.compile(rb"<nmaprun(?:\s(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)?>")


class Start(NamedTuple):
    """What a report starts with, and the bytes behind it that were read already."""

    attributes: dict[str, str]
    rest: bytes
    closed: bool  # `<nmaprun/>`: there is no more
    length: int  # bytes of the start
    remarks: tuple[str, ...]


class _Found(Exception):
    """The root's tag was read."""

    def __init__(self, name: str, attributes: dict[str, str], index: int) -> None:
        super().__init__(name)
        self.name, self.attributes, self.index = name, attributes, index


def read_start(stream: IO[bytes]) -> Start:
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


def _start_in(data: bytes, *, final: bool) -> Start | None:
    """The start, if it ends within the data."""
    tag = ROOT_TAG.search(data)
    end = tag.end() if tag else len(data)
    head, remarks = data[:end], tuple[str, ...]()
    try:
        _parse(head, final=final and not tag)
    except _Found as found:
        return _start(found, head, end, data[end:], remarks)
    except expat.ExpatError:
        text, known = decoded(head)
        remarks = (*(() if known else (NOT_UTF8,)), *((REPLACED,) if mended(text) != text else ()))
        head = mended(text).encode()
    else:
        return None
    try:
        _parse(head, final=False)
    except _Found as found:
        return _start(found, head, end, data[end:], remarks)
    except expat.ExpatError as exc:
        raise UnreadableReport(_why(exc)) from exc
    return None


def _start(found: _Found, head: bytes, length: int, rest: bytes, remarks: tuple[str, ...]) -> Start:
    if found.name != ROOT:
        what = "nmap's list of scripts" if found.name == "nse-scripts" else "another kind of document"
        raise UnreadableReport(f"Not a report of a scan but {what}: its root element is <{found.name[:64]}>.")
    return Start(found.attributes, rest, head.endswith(b"/>"), length, remarks)


def _parse(head: bytes, *, final: bool) -> None:
    parser = expat.ParserCreate("UTF-8")  # whatever the document declares: nmap writes ASCII
    parser.StartDoctypeDeclHandler = _on_doctype

    def on_start(name: str, attributes: dict[str, str]) -> None:
        raise _Found(name, attributes, parser.CurrentByteIndex)

    parser.StartElementHandler = on_start
    parser.Parse(head, final)


def _on_doctype(_name: str, _system: str | None, _public: str | None, has_internal_subset: bool) -> None:
    if has_internal_subset:
        raise UnreadableReport("The report declares entities or elements of its own, which nmap never does.")


def _why(exc: expat.ExpatError) -> str:
    if exc.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
        return f"Not a report of nmap: no <{ROOT}> element. The report is cut short."
    sentence = f"The report is damaged on line {exc.lineno}: {expat.ErrorString(exc.code)}."
    return f"Not a report of nmap: no <{ROOT}> element. {sentence}"
