"""A report to read, from a file or standard input, as a stream of UTF-8.

Saved reports are not always as nmap wrote them: `>` in PowerShell converts them to UTF-16, and
`2>&1` puts warnings in front. A damaged gzip file ends where it cannot be decompressed any further.
"""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from cascan_cli.errors import BadInput

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"
STDIN = "-"
DAMAGED = "The gzip stream is damaged or cut short."
PRECEDED = "There is other text before the report."
CHUNK_BYTES = 128 * 1024
MAX_PREFIX_BYTES = 1024**2  # of text before a report
REPORT_START = re.compile(rb"<(?:\?xml\s|!DOCTYPE\s+nmaprun|nmaprun[\s/>])")
WIDE_ENCODINGS = {  # by the first bytes: a byte order mark, or a tag without one
    codecs.BOM_UTF32_LE: "utf-32",  # before that of UTF-16, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}


@dataclass(frozen=True, slots=True)
class ReportFile:
    """`path`: the file, if other processes can open it too; None for a stream."""

    stream: IO[bytes]
    path: str | None
    # What was wrong around the report; complete once it was read.
    remarks: list[str] = field(default_factory=list)


@contextmanager
def open_report(name: str) -> Iterator[ReportFile]:
    """Open a report; `-` reads standard input.

    Raises: BadInput: the file does not exist or cannot be read.
    """
    try:
        file = _standard_input() if name == STDIN else Path(name).open("rb")  # noqa: SIM115 (closed below)
        remarks: list[str] = []
        stream = _decode_stream(file, remarks)
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    try:
        # A named pipe is not a file.
        is_unchanged = stream is file and name != STDIN and Path(name).is_file()
        yield ReportFile(cast("IO[bytes]", stream), name if is_unchanged else None, remarks)
    finally:
        if name != STDIN:
            file.close()


def _standard_input() -> io.BufferedReader:
    if sys.stdin is None:
        raise BadInput("standard input is closed")
    return cast("io.BufferedReader", sys.stdin.buffer)


def _decode_stream(stream: io.BufferedReader, remarks: list[str]) -> io.BufferedReader:
    """The report decompressed and as UTF-8, without text before it."""
    if stream.peek(2)[:2] == GZIP_MAGIC:
        stream = io.BufferedReader(_ChunkStream(_decompress(stream, remarks)))
    if encoding := _encoding_of(stream.peek(4)):
        stream = io.BufferedReader(_ChunkStream(_recode(stream, encoding)))
    if (start := stream.peek(3)) and not start.startswith((b"<", codecs.BOM_UTF8[: len(start)])):
        stream = io.BufferedReader(_ChunkStream(_skip_prefix(stream, remarks)))
    return stream


def _encoding_of(start: bytes) -> str | None:
    """The encoding to convert from; None if the report is UTF-8 or ASCII."""
    return next((encoding for mark, encoding in WIDE_ENCODINGS.items() if start.startswith(mark)), None)


def _decompress(stream: io.BufferedReader, remarks: list[str]) -> Iterator[bytes]:
    """Decompress a gzip stream; if it is damaged, stop there and add a remark."""
    import gzip  # imported here: most reports are not compressed
    import zlib

    file = gzip.GzipFile(fileobj=stream)
    try:
        while data := file.read1(CHUNK_BYTES):  # read() would lose the data before the damage
            yield data
    except (EOFError, zlib.error, gzip.BadGzipFile):
        remarks.append(DAMAGED)


def _recode(stream: io.BufferedReader, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while data := stream.read1(CHUNK_BYTES):
        yield decoder.decode(data).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode()


def _skip_prefix(stream: io.BufferedReader, remarks: list[str]) -> Iterator[bytes]:
    """Skip text before the report, and add a remark.

    Without the start of a report, skip nothing.
    """
    buffer = bytearray()
    match = None
    while match is None and len(buffer) < MAX_PREFIX_BYTES:
        data = stream.read1(CHUNK_BYTES)
        if not data:
            break
        buffer += data
        match = REPORT_START.search(buffer)
    prefix_length = match.start() if match else 0
    if buffer[:prefix_length].strip():
        remarks.append(PRECEDED)
    yield bytes(buffer[prefix_length:])
    while data := stream.read1(CHUNK_BYTES):
        yield data


class _ChunkStream(io.RawIOBase):
    """An iterator of chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = memoryview(chunk)
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._chunk))
        view[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size
