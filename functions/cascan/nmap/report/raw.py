"""A report as bytes, in constant memory: in comes a stream, out come the root's children, each as nmap wrote it.

Every child is well-formed, since expat has read it. What is damaged is left out: reading goes on behind the next end of
a host. Nothing here raises but the stream's own errors; `complete` says whether the whole document was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, NamedTuple
from xml.parsers import expat

from cascan.limits import MAX_HOST_XML_BYTES, MAX_XML_DEPTH
from cascan.nmap.report.head import ROOT

CHUNK_BYTES = 128 * 1024
# What XML 1.0 forbids, as references and as bytes; nmap writes it for control characters in its arguments.
FORBIDDEN = re.compile(
    rb"&#(?:x0{0,4}(?:[0-8bcef]|1[0-9a-f]|d[89a-f][0-9a-f]{2}|fff[ef])|0{0,4}(?:[0-8]|1[124-9]|2[0-9]|3[01]));"
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1f]",
    re.IGNORECASE,
)
LONGEST_FORBIDDEN = 11  # bytes: &#x00001f;
TAG = re.compile(rb"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")
MAX_DAMAGES = 1_000  # places that are read on behind
HOST = re.compile(rb"<host[\s>]")
HOST_END = b"</host>"
BEGINNING = f"<{ROOT}>".encode()


class RawChild(NamedTuple):
    name: str
    xml: bytes


class _Refused(Exception):
    """No report of nmap, or one that holds what nmap never writes."""


class RawReport:
    """Iterates the children of the report's root, once. `root`, its attributes, is there with the first of them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.root: dict[str, str] | None = None  # None: no report of nmap
        self.complete = False
        self._stream = stream
        self._buffer = bytearray()
        self._held = b""  # the start of a reference that the next chunk may finish
        self._ended = False
        self._damages = 0
        self._lost = False  # behind damage, and no way on was found yet
        self._restart()

    def __iter__(self) -> Iterator[RawChild]:
        while not self._ended:
            chunk = self._stream.read(CHUNK_BYTES)
            self._ended = not chunk
            yield from self._read(self._mended(chunk))
        self.complete = self.root is not None and self._closed and not self._damages

    def _restart(self) -> None:
        """A parser for what lies in the buffer, and for what follows it."""
        self._parser = expat.ParserCreate("UTF-8")  # whatever the document declares: nmap writes ASCII
        self._parser.StartDoctypeDeclHandler = self._on_doctype
        self._parser.SkippedEntityHandler = self._on_entity
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._base = 0  # the parser's index of the buffer's first byte
        self._depth = 0
        self._open = -1  # the parser's index of the child that is open
        self._closed = False
        self._found: list[tuple[str, int, int]] = []  # whole children: name, indices of its start, of its last tag

    def _read(self, data: bytes) -> Iterator[RawChild]:
        self._buffer += data
        while not self._lost or self._found_way():
            if self._parses(data if not self._lost else bytes(self._buffer)):
                yield from self._whole_children()
                return
            yield from self._whole_children()
            self._lost = True
            self._damages += 1
            if self.root is None or self._closed or self._damages > MAX_DAMAGES:
                self._ended = True
                return

    def _parses(self, data: bytes) -> bool:
        """False: something in the data is damaged, or it grows beyond what one element may have."""
        self._lost = False
        try:
            for start in range(0, len(data), CHUNK_BYTES):  # what lies far behind damage is not looked at in vain
                self._parser.Parse(data[start : start + CHUNK_BYTES], False)
        except (expat.ExpatError, _Refused):
            return False
        return len(self._buffer) <= MAX_HOST_XML_BYTES or bool(self._found)

    def _whole_children(self) -> Iterator[RawChild]:
        """Take out of the buffer what was read whole."""
        stop = 0
        for name, start, last_tag in self._found:
            stop = self._end_of(start - self._base, last_tag - self._base)
            yield RawChild(name, bytes(self._buffer[start - self._base : stop]))
        self._found.clear()
        del self._buffer[:stop]
        self._base += stop

    def _end_of(self, start: int, last_tag: int) -> int:
        """Where in the buffer a child ends: behind its last tag, which for an empty element expat says itself."""
        first, last = TAG.match(self._buffer, start), TAG.match(self._buffer, last_tag)
        is_empty = first and first.end() == last_tag and first[0].endswith(b"/>")
        return last.end() if last and not is_empty else last_tag

    def _found_way(self) -> bool:
        """Whether the buffer holds something to read on from: behind the next end of a host, below a root again."""
        host = HOST.search(self._buffer, 1) if self._open < 0 else None  # the damage was between two children
        end = self._buffer.find(HOST_END)
        if end < 0 and not host:
            del self._buffer[: -len(HOST_END)]
            return False
        del self._buffer[: host.start() if host and not 0 <= end < host.start() else end + len(HOST_END)]
        self._restart()
        self._parser.Parse(BEGINNING, False)
        self._base = len(BEGINNING)
        return True

    def _mended(self, chunk: bytes) -> bytes:
        """The bytes to parse now, every reference that XML forbids replaced by that to U+FFFD."""
        data = self._held + chunk
        start = data.rfind(b"&", -LONGEST_FORBIDDEN) if chunk else -1
        self._held = b"" if start < 0 or b";" in data[start:] else data[start:]
        return FORBIDDEN.sub(b"&#xfffd;", data[: len(data) - len(self._held)])

    def _on_doctype(self, _name: str, _system: str | None, _public: str | None, has_internal_subset: bool) -> None:
        if has_internal_subset:
            raise _Refused

    def _on_entity(self, _name: str, _is_parameter: bool) -> None:
        raise _Refused

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            if name != ROOT:
                raise _Refused
            self.root = attributes if self.root is None else self.root
        elif self._depth == 2:  # noqa: PLR2004 (a child of the root)
            self._open = self._parser.CurrentByteIndex
        elif self._depth > MAX_XML_DEPTH:
            raise _Refused

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 1:
            self._found.append((name, self._open, self._parser.CurrentByteIndex))
            self._open = -1
        elif self._depth == 0:
            self._closed = True
