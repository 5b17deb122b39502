"""Split the bytes after the start of a report into batches of whole host elements.

Comments, CDATA and processing instructions could hide a `</host>`. nmap does not write any there,
and searching every byte for them is expensive. So the reader asks for `careful` splitting when it
first finds such markup in a host.
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
    """Iterates over batches that each end after a host.

    If no host ends for a long time, a batch ends after a hosthint. `rest`: the bytes after the
    batches.
    """

    def __init__(
        self,
        stream: IO[bytes],
        start: bytes,
        offset: int,
        warn_of_loss: Callable[[str], None],
    ) -> None:
        self.rest = b""
        self.offset = offset  # of the next batch; approximate where comments were removed
        self._stream = stream
        self._buffer = bytearray(start)
        self._searched = 0  # bytes of the buffer that contain no end of a host
        self._careful = False
        # If splitting is careful: bytes of the buffer from which comments and the like were removed
        self._clean_to = 0
        self._warn_of_loss = warn_of_loss
        self._ended = False
        self._taken = offset + len(start)  # bytes of the report that were read from the stream

    @property
    def position(self) -> int | None:
        """The byte after the last batch. None: unknown, since comments were removed."""
        return None if self._careful else self._taken - len(self._buffer)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            end = self._find_end()
            if end:
                batch = bytes(self._buffer[:end])
                del self._buffer[:end]
                self._searched = 0
                self._clean_to = max(0, self._clean_to - end)
                self.offset += len(batch)
                yield batch
            elif self._ended:
                self.rest = MARKUP.sub(_resolve_cdata, self._buffer)
                self._buffer.clear()
                return
            else:
                self._read()

    def careful(self, text: str) -> bool:
        """Split the last batch again from this text on, its end, and remove comments from now on.

        False: splitting is careful already.
        """
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
        if len(self._buffer) > MAX_HOST_XML_BYTES and not self._find_end():
            self._warn_of_loss(TOO_LONG)
            self._skip()

    def _find_end(self) -> int:
        """The position after the last host that ends in the buffer. 0: there is none."""
        start, stop = max(0, self._searched - len(HOST_END)), self._find_limit()
        index = self._buffer.rfind(HOST_END, start, stop)
        if index >= 0:
            return index + len(HOST_END)
        self._searched = stop
        if len(self._buffer) < 8 * CHUNK_BYTES:
            return 0
        index = self._buffer.rfind(HINT_END, 0, stop)
        is_before_hosts = index >= 0 and self._buffer.find(b"<host ", index) < 0
        return index + len(HINT_END) if is_before_hosts else 0

    def _find_limit(self) -> int:
        """How many bytes of the buffer can be split: those before markup that has not ended yet."""
        return self._clean_to if self._careful and not self._ended else len(self._buffer)

    def _clean(self) -> None:
        cleaned = MARKUP.sub(_resolve_cdata, bytes(self._buffer[self._clean_to :]))
        opened = OPENED.search(cleaned)
        if opened and len(cleaned) - opened.start() > MAX_MARKUP_BYTES:
            # The report is damaged here, as the XML parser will find.
            opened = OPENED.search(cleaned, len(cleaned) - 1)
        self._buffer[self._clean_to :] = cleaned
        self._clean_to += opened.start() if opened else len(cleaned)

    def _skip(self) -> None:
        """Skip the element that is too long."""
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


def _resolve_cdata(match: re.Match[bytes]) -> bytes:
    """CDATA as escaped text. Other markup is removed."""
    return (match[1] or b"").replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
