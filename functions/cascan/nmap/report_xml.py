"""XML read in constant memory: in comes a byte stream, out come the children of its root, one whole element at a time.

Safe on any bytes: no entity is expanded, a document with declarations of its own is refused, and an element that grows
beyond the limits ends the reading. What was wrong is kept as sentences, not raised, once the root element was seen.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator
from typing import IO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from cascan.errors import UnreadableReport
from cascan.limits import MAX_HOST_XML_BYTES, MAX_HOST_XML_ELEMENTS, MAX_REASONS, MAX_XML_DEPTH

CHUNK_BYTES = 128 * 1024
ROOT = "nmaprun"
# References to characters that XML 1.0 forbids; nmap writes them for control characters in its arguments.
FORBIDDEN = re.compile(rb"&#(?:x0?(?:[0-8bcef]|1[0-9a-f])|0{0,2}(?:[0-8]|1[124-9]|2[0-9]|3[01]));", re.IGNORECASE)
LONGEST_FORBIDDEN = 7  # bytes: &#0031;


class _Stopped(Exception):
    """A limit was reached inside the parser; its text is the warning."""


class RootChildren:
    """The `wanted` children of the root, in document order; whatever else stands there is read over.

    Raises: UnreadableReport: at once, when no `nmaprun` root is found. Afterwards nothing but the stream's own errors.
    """

    def __init__(self, stream: IO[bytes], wanted: Collection[str]) -> None:
        self.root: dict[str, str] | None = None  # attributes of the root
        self.complete = False  # the root was closed, and nothing follows it
        self.warnings: list[str] = []
        self._stream = stream
        self._wanted = frozenset(wanted)
        self._ready: deque[Element] = deque()
        self._ended = False
        self._held = b""  # the start of a reference that the next chunk may finish
        self._fed = 0  # bytes handed to expat
        self._child_start = 0  # byte after which the current child of the root began, at the latest
        self._depth = 0
        self._elements = 0  # inside the current child
        self._builder: TreeBuilder | None = None
        self._parser = self._new_parser()
        while self.root is None:
            if self._ended:
                raise UnreadableReport(self._why_no_root())
            self._advance()

    def __iter__(self) -> Iterator[Element]:
        while True:
            while self._ready:
                yield self._ready.popleft()
            if self._ended:
                return
            self._advance()

    def warn(self, sentence: str) -> None:
        """Keep a sentence, once; of many different ones the first MAX_REASONS."""
        if sentence not in self.warnings and len(self.warnings) < MAX_REASONS:
            self.warnings.append(sentence)

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8")  # whatever the document declares: nmap writes ASCII
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._on_doctype
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        return parser

    def _advance(self) -> None:
        chunk = self._stream.read(CHUNK_BYTES)
        data = self._mended(chunk)
        self._fed += len(data)
        try:
            self._parser.Parse(data, not chunk)
            self._check_size()
        except expat.ExpatError as exc:
            self._end(self._sentence(exc, at_end=not chunk))
        except _Stopped as stopped:
            self._end(str(stopped))
        else:
            self.complete = self._ended = not chunk

    def _check_size(self) -> None:
        if self._fed - self._child_start > MAX_HOST_XML_BYTES:
            raise _Stopped(f"The reading stopped at an element of more than {MAX_HOST_XML_BYTES} bytes.")

    def _end(self, sentence: str) -> None:
        self._ended = True
        self.warn(sentence)

    def _mended(self, chunk: bytes) -> bytes:
        """The bytes to parse now, every forbidden reference replaced by that to U+FFFD."""
        data = self._held + chunk
        start = data.rfind(b"&", -LONGEST_FORBIDDEN) if chunk else -1
        self._held = b"" if start < 0 or b";" in data[start:] else data[start:]
        mended, count = FORBIDDEN.subn(b"&#xfffd;", data[: len(data) - len(self._held)])
        if count:
            self.warn("Control characters, which XML cannot carry, were replaced.")
        return mended

    def _sentence(self, exc: expat.ExpatError, *, at_end: bool) -> str:
        if exc.code == expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]:
            return f"Something follows the end of the report, on line {exc.lineno}."
        if at_end:
            return "The report is cut short."
        return f"The report is damaged on line {exc.lineno}: {expat.ErrorString(exc.code)}."

    def _why_no_root(self) -> str:
        if self._fed == 0:
            return "The report is empty."
        return f"Not a report of nmap: no <{ROOT}> element. {self.warnings[-1]}"

    def _on_doctype(self, _name: str, _system: str | None, _public: str | None, has_internal_subset: bool) -> None:
        if has_internal_subset:
            raise UnreadableReport("The report declares entities or elements of its own, which nmap never does.")

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._open_root(name, attributes)
            return
        if self._depth == 2:  # noqa: PLR2004 (a child of the root)
            self._open_child(name)
        elif self._depth > MAX_XML_DEPTH:
            raise _Stopped(f"The reading stopped at elements nested more than {MAX_XML_DEPTH} deep.")
        if self._builder is not None:
            self._elements += 1
            if self._elements > MAX_HOST_XML_ELEMENTS:
                raise _Stopped(f"The reading stopped inside an element of more than {MAX_HOST_XML_ELEMENTS} elements.")
            self._builder.start(name, attributes)

    def _open_root(self, name: str, attributes: dict[str, str]) -> None:
        if name != ROOT:
            what = "nmap's list of scripts" if name == "nse-scripts" else "another kind of document"
            raise UnreadableReport(f"Not a report of a scan but {what}: its root element is <{name[:64]}>.")
        self.root = attributes

    def _open_child(self, name: str) -> None:
        self._elements = 0
        self._builder = TreeBuilder() if name in self._wanted else None
        self._parser.CharacterDataHandler = self._builder.data if self._builder is not None else None

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        if self._builder is not None:
            self._builder.end(name)
        if self._depth == 1:
            self._child_start = self._parser.CurrentByteIndex
            if self._builder is not None:
                self._ready.append(self._builder.close())
                self._builder = self._parser.CharacterDataHandler = None
