"""Read the start of a report, up to the end of the root element's tag."""

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
    """The root element's attributes, and the bytes after its tag that were read with it."""

    attributes: dict[str, str]
    rest: bytes
    closed: bool  # the tag is `<nmaprun/>`
    length: int  # bytes of the start
    remarks: tuple[str, ...]


class _RootFound(Exception):
    """Ends the parsing after the root's tag."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        super().__init__(name)
        self.name, self.attributes = name, attributes


def read_start(stream: IO[bytes]) -> ReportStart:
    """The report's start.

    Raises: UnreadableReport: the stream is empty or not XML, has another root element, or has
    declarations inside the document type.
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
            why = f"It does not begin within {MAX_HEAD_BYTES} bytes."
            if not chunk:
                why = "The report is cut short."
            raise UnreadableReport(f"Not a report of nmap: no <{ROOT}> element. {why}")


def _find_start(data: bytes, *, final: bool) -> ReportStart | None:
    """The start, if it ends within the data."""
    sections = _split_at_tags(data)
    remarks: dict[str, None] = {}
    try:
        root, count = _parse(sections, final=final)
    except expat.ExpatError:
        numbered = enumerate(sections)
        readable = [_repair(section, is_first=number == 0) for number, section in numbered]
        try:
            root, count = _parse([text for text, _ in readable], final=False)
        except expat.ExpatError as exc:
            raise UnreadableReport(_explain(exc)) from exc
        remarks = dict.fromkeys(remark for _, changes in readable[:count] for remark in changes)
    if root is None:
        return None
    return _to_start(root, data, sum(map(len, sections[:count])), tuple(remarks))


def _split_at_tags(data: bytes) -> list[bytes]:
    """The data, split after each text that looks like the root's tag; at least one section.

    There may be several such texts, since one may be in a comment.
    """
    ends = [match.end() for match in ROOT_TAG.finditer(data)]
    return [data[start:end] for start, end in pairwise([0, *ends])] if ends else [data]


def _repair(section: bytes, *, is_first: bool) -> tuple[bytes, list[str]]:
    """The section, changed so that XML allows it, and a sentence for each change."""
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
        is_script_list = root.name == "nse-scripts"
        kind = "nmap's list of scripts" if is_script_list else "another kind of document"
        name = root.name[:64]
        raise UnreadableReport(f"Not a report of a scan but {kind}: its root element is <{name}>.")
    closed = data[:length].endswith(b"/>")
    return ReportStart(root.attributes, data[length:], closed, length, remarks)


def _parse(sections: list[bytes], *, final: bool) -> tuple[_RootFound | None, int]:
    """The first element, and the number of sections up to it.

    Raises: ExpatError: what precedes it is not well-formed.
    """
    parser = expat.ParserCreate("UTF-8")  # overrides the declared encoding: nmap writes ASCII
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
        declared = "entities or elements of its own, which nmap never does"
        raise UnreadableReport(f"The report declares {declared}.")


def _explain(exc: expat.ExpatError) -> str:
    if exc.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
        return f"Not a report of nmap: no <{ROOT}> element. The report is cut short."
    sentence = f"The report is damaged on line {exc.lineno}: {expat.ErrorString(exc.code)}."
    return f"Not a report of nmap: no <{ROOT}> element. {sentence}"
