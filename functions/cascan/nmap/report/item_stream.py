"""Read the elements below the root of a report: hosts and other items, in report order.

Only the stream itself raises errors. An element that cannot be read is left out with a warning, and
reading continues after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO
from xml.etree.ElementTree import XML, Element, ParseError
from xml.parsers import expat

from cascan.limits import MAX_HOST_XML_ELEMENTS, MAX_REASONS, MAX_XML_DEPTH
from cascan.model.host import Host
from cascan.model.report import Item
from cascan.nmap.report.decode import CONTROLS_REPLACED, NOT_UTF8, decode_utf8, replace_forbidden
from cascan.nmap.report.fast.host import FastHostReader
from cascan.nmap.report.fast.script import UnusualMarkup
from cascan.nmap.report.head import ReportStart
from cascan.nmap.report.schema import check_text, drop_namespaces
from cascan.nmap.report.split import HostBatches
from cascan.nmap.report.tree.host import TooDeep, parse_host
from cascan.nmap.report.tree.items import parse_item, parse_whole_elements
from cascan.nmap.report.write.xml_escape import render_parsed

HOST_END = "</host>"
BETWEEN = "</host>\n<host"  # between two hosts; the second may have no time, as one that is down has
HOST_START = re.compile(r"<host[\s>]")
ROOT_TAGS = re.compile(r"</nmaprun\s*>|<nmaprun(?:\s[^<>]*)?>")
ROOT_END = re.compile(r"</nmaprun\s*>")
PASSED_OVER = re.compile(  # thousands of small items, which are read only if everything is read
    r"(?:\s*<(?:/?hosthint|/?hostnames"
    r"|(?:status|address|hostname|taskbegin|taskprogress|taskend) [^<>]*/)>)*\s*"
)
CUT_SHORT = "The report is cut short."
FOLLOWED = "Something follows the end of the report."
TOO_MANY = f"A host of more than {MAX_HOST_XML_ELEMENTS} elements was left out."
TOO_DEEP = f"A host with elements nested more than {MAX_XML_DEPTH} deep was left out."
LEAST_ELEMENT_CHARS = 4  # `<a/>`


class ItemStream:
    """The elements of one report. `complete` and `warnings` describe what was read so far."""

    def __init__(
        self,
        stream: IO[bytes],
        start: ReportStart,
        *,
        fast: FastHostReader | None = None,
        to_end: bool = True,
    ) -> None:
        """`to_end` is false for a range that ends after a host, before the end of the report.

        `fast`: a reader whose cache was filled by earlier ranges.
        """
        self.complete = False
        self.warnings: list[str] = []
        self._batches = HostBatches(stream, start.rest, start.length, self._warn_of_loss)
        self._closed = start.closed
        self._to_end = to_end
        self._fast = fast or FastHostReader()
        self.broken = False  # something was left out, or is in a wrong place
        # the byte after the last batch whose hosts were all returned
        self.read_to: int | None = start.length
        self._everything = False
        self._readable = ""  # the text that was parsed last
        self._source: str | Element = ""  # the item that was returned last
        self._origin: int | None = None  # the byte at which the batch begins; None: unknown
        # What `host_place` is found from: the text that ends with the host that was returned last
        self._located: str | None = None
        for remark in start.remarks:
            self.warn(remark)

    @property
    def source(self) -> str:
        """The XML of the host or item that was returned last, well-formed and whole.

        For a host it is the text of the report, in which only characters that XML forbids are
        replaced, and comments are left out.
        """
        if isinstance(self._source, str):
            return f"{self._source.lstrip()}{HOST_END}\n"
        return f"{render_parsed(self._source)}\n"

    def read(self, *, everything: bool) -> Iterator[Host | Item]:
        """The hosts, and the items that every reader needs; or all items."""
        self._everything = everything
        for batch in self._batches:
            text = self._decode(batch)
            self._origin = self._find_origin(batch, text)
            yield from self._read_hosts(text)
            self.read_to = self._batches.position
        yield from self._read_end(self._decode(self._batches.rest))

    def _find_origin(self, batch: bytes, text: str) -> int | None:
        """The byte of the report at which the batch begins, if its text has as many bytes."""
        if self._batches.position is None:
            return None
        has_same_bytes = text.isascii() or len(text.encode()) == len(batch)
        return self._batches.offset - len(batch) if has_same_bytes else None

    @property
    def host_place(self) -> tuple[int, int] | None:
        """First byte and number of bytes of the host that was returned last. None: unknown.

        The batch is read up to the text that ends with the host, without its `</host>`.
        """
        if self._origin is None or self._located is None:
            return None
        start = HOST_START.search(self._located)
        before = start.start() if start else 0
        offset = self._origin + _count_bytes(self._located[:before])
        return offset, _count_bytes(self._located[before:]) + len(HOST_END)

    def _pass_over(self, text: str) -> None:
        """The text and a `</host>` are read."""
        self._located = None
        if self._origin is not None:
            self._origin += _count_bytes(text) + len(HOST_END)

    def _read_hosts(self, text: str) -> Iterator[Host | Item]:
        is_ascii = text.isascii()
        stop = text.rfind(HOST_END)
        for start, element in _split_hosts(text, stop):
            host = self._read_fast(element) if is_ascii else None
            if host is not None:
                self._source = self._located = element
                yield host
                self._pass_over(element)
                continue
            position, sections = start, element.split(HOST_END)
            for section in sections:
                if is_ascii and len(sections) > 1 and (host := self._read_fast(section)):
                    self._source = self._located = section
                    yield host
                elif _has_markup(section) and self._batches.careful(text[position:]):
                    return
                else:
                    self._located = section
                    yield from self._read_any_host(section)
                self._pass_over(section)
                position += len(section) + len(HOST_END)
        is_without_hosts = stop < 0  # the batch was cut because no host ended
        yield from self._read_between(text if is_without_hosts else text[stop + len(HOST_END) :])

    def _read_fast(self, text: str) -> Host | None:
        try:
            return self._fast.read(text)
        except UnusualMarkup:
            return None

    def _read_any_host(self, text: str) -> Iterator[Host | Item]:
        """The items of a text that ends before a `</host>`, and the host itself."""
        if self._has_too_many(text):
            return
        starts = [match.start() for match in HOST_START.finditer(text)]
        if not starts:
            place = f"near byte {self._batches.offset}"
            self._warn_of_loss(f"The report is damaged {place}: a host ends that did not begin.")
            return
        yield from self._read_between(text[: starts[0]])
        if text.isascii() and starts[0] and (host := self._read_fast(text[starts[0] :])):
            self._source = text[starts[0] :]
            yield host
            return
        for start in starts if len(starts) == 1 else (starts[0], starts[-1]):
            element = self._parse(f"{text[start:]}{HOST_END}")
            if element is not None:
                yield from self._parse_host(element, self._readable.removesuffix(HOST_END))
                return

    def _parse_host(self, element: Element, source: str | Element) -> Iterator[Host]:
        try:
            host = parse_host(element, self.warn)
        except TooDeep:
            self._warn_of_loss(TOO_DEEP)
            return
        self._source = source
        yield host

    def _parse_items(self, elements: Iterable[Element]) -> Iterator[Host | Item]:
        for element in elements:
            if element.tag == "host":  # `<host/>`, which no nmap tool writes
                yield from self._parse_host(element, element)
                continue
            item = parse_item(element, self.warn)
            if item is not None:
                self._source = element
                yield item

    def _read_between(self, text: str) -> Iterator[Host | Item]:
        """The items of a text between hosts."""
        if (
            not text
            or text.isspace()
            or (not self._everything and PASSED_OVER.fullmatch(text))
            or self._has_too_many(text)
        ):
            return
        if ROOT_TAGS.search(text):  # another report was appended
            self._warn_of_loss(FOLLOWED)
            text = ROOT_TAGS.sub("", text)
        parsed = self._parse(f"<r>{text}</r>")
        if parsed is not None:
            check_text(parsed, self.warn)
        yield from self._parse_items(parse_whole_elements(text) if parsed is None else parsed)

    def _read_end(self, text: str) -> Iterator[Host | Item]:
        """The items after the last host. Records whether the end of the report is in order."""
        end = ROOT_END.search(text)
        if not self._to_end:
            yield from self._read_between(text)
            return
        if end is None and not self._closed:
            self._warn_of_loss(CUT_SHORT)
            begun = HOST_START.search(text)  # a host that does not end
            text = text[: begun.start()] if begun else text
            if not self._has_too_many(text):
                yield from self._parse_items(parse_whole_elements(text))
            return
        yield from self._read_between(text[: end.start()] if end else "")
        remainder = ROOT_TAGS.sub("", text[end.end() :] if end else text)
        if remainder.strip():
            self._warn_of_loss(FOLLOWED)
            yield from self._parse_items(parse_whole_elements(remainder))
        self.complete = not self.broken

    def _has_too_many(self, text: str) -> bool:
        """Whether the text has so many elements that their tree would take too much memory."""
        if len(text) <= LEAST_ELEMENT_CHARS * MAX_HOST_XML_ELEMENTS:
            return False
        if text.count("<") <= MAX_HOST_XML_ELEMENTS:
            return False
        self._warn_of_loss(TOO_MANY)
        return True

    def _parse(self, text: str) -> Element | None:
        """The element, with characters that XML forbids replaced.

        None, with a warning: the text is not well-formed.
        """
        self._readable = text
        try:
            return self._parse_xml(text)
        except ParseError:
            pass
        self._readable = replace_forbidden(text)
        try:
            element = self._parse_xml(self._readable)
        except ParseError as exc:
            reason = expat.ErrorString(exc.code)
            self._warn_of_loss(f"The report is damaged near byte {self._batches.offset}: {reason}.")
            return None
        self.warn(CONTROLS_REPLACED)
        return element

    def _parse_xml(self, text: str) -> Element:
        element = XML(text)
        if "xmlns" in text:
            drop_namespaces(element, self.warn)
        return element

    def _decode(self, data: bytes) -> str:
        text, is_utf8 = decode_utf8(data)
        if not is_utf8:
            self.warn(NOT_UTF8)
        return text

    def warn(self, sentence: str) -> None:
        """Keep a warning, unless it is a repeat or MAX_REASONS are kept already."""
        if sentence not in self.warnings and len(self.warnings) < MAX_REASONS:
            self.warnings.append(sentence)

    def take(self, warnings: list[str], *, broken: bool, complete: bool) -> None:
        """Add the warnings of another stream, which read a range of the same report."""
        for warning in warnings:
            self.warn(warning)
        self.broken |= broken
        self.complete = complete and not self.broken

    def _warn_of_loss(self, sentence: str) -> None:
        """Keep a warning that something was left out: the report is not complete."""
        self.broken = True
        self.warn(sentence)


def _count_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _has_markup(text: str) -> bool:
    """Whether there may be comments, CDATA or processing instructions."""
    return "<!" in text or "<?" in text


def _split_hosts(text: str, stop: int) -> Iterator[tuple[int, str]]:
    """Split the text before `stop`, where the last host ends, between hosts as nmap writes them.

    Yields the position and the text of each, without its own `</host>`. A text contains further
    `</host>` if they are followed by something that nmap does not write there.
    """
    start = 0
    while (end := text.find(BETWEEN, start, stop)) >= 0:
        yield start, text[start:end]
        start = end + len(HOST_END)
    if stop >= start:
        yield start, text[start:stop]
