"""What stands below the root of a report: batches of bytes in, hosts and the items beside them out, in report order.

Never raises but the stream's own errors: what cannot be read is left out and told, and reading goes on behind it.
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
BETWEEN = f"{HOST_END}\n<host starttime="  # two hosts; the longer what is looked for, the faster it is found
HOST_START = re.compile(r"<host[\s>]")
ROOT_TAGS = re.compile(r"</nmaprun\s*>|<nmaprun(?:\s[^<>]*)?>")
ROOT_END = re.compile(r"</nmaprun\s*>")
PASSED_OVER = re.compile(  # what only somebody who asks for everything wants: it stands by the thousand
    r"(?:\s*<(?:/?hosthint|/?hostnames|(?:status|address|hostname|taskbegin|taskprogress|taskend) [^<>]*/)>)*\s*"
)
CUT_SHORT = "The report is cut short."
FOLLOWED = "Something follows the end of the report."
TOO_MANY = f"A host of more than {MAX_HOST_XML_ELEMENTS} elements was left out."
TOO_DEEP = f"A host with elements nested more than {MAX_XML_DEPTH} deep was left out."
LEAST_ELEMENT_CHARS = 4  # `<a/>`


class ItemStream:
    """Reads once. `complete` and `warnings` are true to what was read so far."""

    def __init__(
        self, stream: IO[bytes], start: ReportStart, *, quick: FastHostReader | None = None, whole: bool = True
    ) -> None:
        """`whole` is False for a range that ends behind a host: the end of the report is elsewhere.

        `quick` remembers pieces of the ranges before.
        """
        self.complete = False
        self.warnings: list[str] = []
        self._batches = HostBatches(stream, start.rest, start.length, self._lost)
        self._closed = start.closed
        self._whole = whole
        self._quick = quick or FastHostReader()
        self.broken = False  # something was left out, or stands where it should not
        self.read_to: int | None = start.length  # the byte behind the last batch whose hosts were all handed out
        self._everything = False
        self._readable = ""  # the text that was parsed last
        self._source: str | Element = ""  # of what was handed out last
        for remark in start.remarks:
            self.warn(remark)

    @property
    def source(self) -> str:
        """XML of the host or item that was handed out last: well-formed, with all that the report has of it.

        A host's is the report's own text; only what XML cannot carry is replaced, comments and the like are left out.
        """
        if isinstance(self._source, str):
            return f"{self._source.lstrip()}{HOST_END}\n"
        return f"{render_parsed(self._source)}\n"

    def read(self, *, everything: bool) -> Iterator[Host | Item]:
        """Hosts and what a reader has to know besides, or everything."""
        self._everything = everything
        for batch in self._batches:
            yield from self._hosts(self._decoded(batch))
            self.read_to = self._batches.position
        yield from self._end(self._decoded(self._batches.rest))

    def _hosts(self, text: str) -> Iterator[Host | Item]:
        plain = text.isascii()
        stop = text.rfind(HOST_END)
        for start, element in _elements(text, stop):
            host = self._quickly(element) if plain else None
            if host is not None:
                self._source = element
                yield host
                continue
            at, parts = start, element.split(HOST_END)
            for part in parts:
                if plain and len(parts) > 1 and (host := self._quickly(part)):
                    self._source = part
                    yield host
                elif ("<!" in part or "<?" in part) and self._batches.careful(text[at:]):
                    return
                else:
                    yield from self._any_host(part)
                at += len(part) + len(HOST_END)
        yield from self._beside(text[stop + len(HOST_END) :] if stop >= 0 else text)  # where no host ended for long

    def _quickly(self, text: str) -> Host | None:
        try:
            return self._quick.host(text)
        except UnusualMarkup:
            return None

    def _any_host(self, text: str) -> Iterator[Host | Item]:
        """What the text, which ends before a `</host>`, holds: what stands before the host, and the host."""
        if self._too_many(text):
            return
        starts = [match.start() for match in HOST_START.finditer(text)]
        if not starts:
            self._lost(f"The report is damaged near byte {self._batches.offset}: a host ends that did not begin.")
            return
        yield from self._beside(text[: starts[0]])
        if text.isascii() and starts[0] and (host := self._quickly(text[starts[0] :])):
            self._source = text[starts[0] :]
            yield host
            return
        for start in starts if len(starts) == 1 else (starts[0], starts[-1]):
            element = self._parsed(f"{text[start:]}{HOST_END}")
            if element is not None:
                yield from self._host(element, self._readable.removesuffix(HOST_END))
                return

    def _host(self, element: Element, source: str | Element) -> Iterator[Host]:
        try:
            host = parse_host(element, self.warn)
        except TooDeep:
            self._lost(TOO_DEEP)
            return
        self._source = source
        yield host

    def _items(self, elements: Iterable[Element]) -> Iterator[Host | Item]:
        for element in elements:
            if element.tag == "host":  # `<host/>`, which no tool of nmap's writes
                yield from self._host(element, element)
                continue
            item = parse_item(element, self.warn)
            if item is not None:
                self._source = element
                yield item

    def _beside(self, text: str) -> Iterator[Host | Item]:
        """The items of a text between hosts."""
        if not text or text.isspace() or (not self._everything and PASSED_OVER.fullmatch(text)) or self._too_many(text):
            return
        if ROOT_TAGS.search(text):  # another report was appended
            self._lost(FOLLOWED)
            text = ROOT_TAGS.sub("", text)
        parsed = self._parsed(f"<r>{text}</r>")
        if parsed is not None:
            check_text(parsed, self.warn)
        yield from self._items(parse_whole_elements(text) if parsed is None else parsed)

    def _end(self, text: str) -> Iterator[Host | Item]:
        """The items behind the last host, and whether the report ends as it should."""
        end = ROOT_END.search(text)
        if not self._whole:
            yield from self._beside(text)
            return
        if end is None and not self._closed:
            self._lost(CUT_SHORT)
            begun = HOST_START.search(text)  # no host ends behind it
            text = text[: begun.start()] if begun else text
            if not self._too_many(text):
                yield from self._items(parse_whole_elements(text))
            return
        yield from self._beside(text[: end.start()] if end else "")
        behind = ROOT_TAGS.sub("", text[end.end() :] if end else text)
        if behind.strip():
            self._lost(FOLLOWED)
            yield from self._items(parse_whole_elements(behind))
        self.complete = not self.broken

    def _too_many(self, text: str) -> bool:
        """Whether the text holds more elements than a tree of them could be kept for."""
        if len(text) <= LEAST_ELEMENT_CHARS * MAX_HOST_XML_ELEMENTS or text.count("<") <= MAX_HOST_XML_ELEMENTS:
            return False
        self._lost(TOO_MANY)
        return True

    def _parsed(self, text: str) -> Element | None:
        """The element, if it is well-formed once what XML cannot carry is replaced; else the damage is told."""
        self._readable = text
        try:
            return self._element(text)
        except ParseError:
            pass
        self._readable = replace_forbidden(text)
        try:
            element = self._element(self._readable)
        except ParseError as exc:
            reason = expat.ErrorString(exc.code)
            self._lost(f"The report is damaged near byte {self._batches.offset}: {reason}.")
            return None
        self.warn(CONTROLS_REPLACED)
        return element

    def _element(self, text: str) -> Element:
        element = XML(text)
        if "xmlns" in text:
            drop_namespaces(element, self.warn)
        return element

    def _decoded(self, data: bytes) -> str:
        text, known = decode_utf8(data)
        if not known:
            self.warn(NOT_UTF8)
        return text

    def warn(self, sentence: str) -> None:
        """Keep a sentence, once; of many different ones the first MAX_REASONS."""
        if sentence not in self.warnings and len(self.warnings) < MAX_REASONS:
            self.warnings.append(sentence)

    def take(self, warnings: list[str], *, broken: bool, complete: bool) -> None:
        """Take over what another body, which read a range of this report, says of it."""
        for warning in warnings:
            self.warn(warning)
        self.broken |= broken
        self.complete = complete and not self.broken

    def _lost(self, sentence: str) -> None:
        """Something was left out: the report is not complete."""
        self.broken = True
        self.warn(sentence)


def _elements(text: str, stop: int) -> Iterator[tuple[int, str]]:
    """The text before `stop`, where the last host ends, cut between hosts as nmap writes them: places and pieces.

    A piece has no end of a host behind it; inside, it may have some that stand otherwise.
    """
    start = 0
    while (end := text.find(BETWEEN, start, stop)) >= 0:
        yield start, text[start:end]
        start = end + len(HOST_END)
    if stop >= start:
        yield start, text[start:stop]
