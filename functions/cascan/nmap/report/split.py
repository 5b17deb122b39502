"""What follows the start of a report, cut behind its hosts: a stream in, batches of whole host elements out.

Comments, CDATA and processing instructions could hide a `</host>`. nmap writes none there, and looking for them in
every byte costs; so it is left to the reader, to whom such a host does not look plain, to ask for `careful` cutting
from there on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import IO

from cascan.limits import MAX_HOST_XML_BYTES, MAX_MARKUP_BYTES
from cascan.nmap.report.head import CHUNK_BYTES

HOST_END = b"</host>"
HINT_END = b"</hosthint>"
MARKUP = re.compile(rb"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(.*?)\]\]>|<!DOCTYPE[^<>\[]*>", re.DOTALL)
OPENED = re.compile(rb"<[!?]|<$")
TOO_LONG = f"An element of more than {MAX_HOST_XML_BYTES} bytes was left out."


class HostBatches:
    """Batches that end behind a host (or, where none ends for long, behind a hosthint); then `rest` is what is left."""

    def __init__(self, stream: IO[bytes], first: bytes, offset: int, lost: Callable[[str], None]) -> None:
        self.rest = b""
        self.offset = offset  # of what is handed out next; near enough where comments were taken out
        self._stream = stream
        self._buffer = bytearray(first)
        self._searched = 0  # up to where the buffer holds no end of a host
        self._careful = False
        self._clean_to = 0  # up to where the buffer holds no comment and the like, if cut carefully
        self._lost = lost
        self._ended = False
        self._taken = offset + len(first)  # bytes of the report that came out of the stream

    @property
    def position(self) -> int | None:
        """The byte behind what was handed out last; None: nobody knows, since comments were taken out."""
        return None if self._careful else self._taken - len(self._buffer)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            cut = self._cut()
            if cut:
                batch = bytes(self._buffer[:cut])
                del self._buffer[:cut]
                self._searched = 0
                self._clean_to = max(0, self._clean_to - cut)
                self.offset += len(batch)
                yield batch
            elif self._ended:
                self.rest = MARKUP.sub(_plain, self._buffer)
                self._buffer.clear()
                return
            else:
                self._read()

    def careful(self, text: str) -> bool:
        """Cut again from this text on, which was handed out last, without comments and the like. False: it is so."""
        if self._careful:
            return False
        self._careful = True
        self._buffer[:0] = text.encode()
        self.offset -= len(text)
        self._searched = self._clean_to = 0
        self._clean()
        return True

    def _read(self) -> None:
        chunk = self._stream.read(CHUNK_BYTES)
        self._taken += len(chunk)
        self._ended = not chunk
        self._buffer += chunk
        if self._careful:
            self._clean()
        if len(self._buffer) > MAX_HOST_XML_BYTES and not self._cut():
            self._lost(TOO_LONG)
            self._skip()

    def _cut(self) -> int:
        """Behind the last end of a host in the buffer; 0: there is none."""
        start, stop = max(0, self._searched - len(HOST_END)), self._limit()
        found = self._buffer.rfind(HOST_END, start, stop)
        if found >= 0:
            return found + len(HOST_END)
        self._searched = stop
        if len(self._buffer) < 8 * CHUNK_BYTES:
            return 0
        found = self._buffer.rfind(HINT_END, 0, stop)
        return found + len(HINT_END) if found >= 0 and self._buffer.find(b"<host ", found) < 0 else 0

    def _limit(self) -> int:
        """Up to where the buffer can be cut: before markup whose end is yet to come."""
        return self._clean_to if self._careful and not self._ended else len(self._buffer)

    def _clean(self) -> None:
        part = MARKUP.sub(_plain, bytes(self._buffer[self._clean_to :]))
        opened = OPENED.search(part)
        if opened and len(part) - opened.start() > MAX_MARKUP_BYTES:  # it ends nowhere near: damage, for others to find
            opened = OPENED.search(part, len(part) - 1)
        self._buffer[self._clean_to :] = part
        self._clean_to += opened.start() if opened else len(part)

    def _skip(self) -> None:
        """Read over the element that is too long."""
        while not self._ended:
            tail = bytes(self._buffer[-len(HOST_END) :])
            chunk = self._stream.read(CHUNK_BYTES)
            self._taken += len(chunk)
            self._ended = not chunk
            self._buffer = bytearray(tail + chunk)
            end = self._buffer.find(HOST_END)
            if end >= 0:
                del self._buffer[: end + len(HOST_END)]
                break
        self._searched = self._clean_to = 0


def _plain(match: re.Match[bytes]) -> bytes:
    """Nothing, or CDATA as the text it stands for."""
    return (match[1] or b"").replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
