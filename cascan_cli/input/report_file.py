"""A report to read: a file or standard input, plain or gzip, as a stream that ends where it cannot go on.

Reports that people saved are not always as nmap wrote them: PowerShell's `>` makes UTF-16 of them, and `2>&1` puts
warnings in front. The stream is UTF-8 and begins where the report does.
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
PRECEDED = "Something stands before the report."
CHUNK_BYTES = 128 * 1024
MAX_BEFORE_BYTES = 1024**2  # that may stand before a report
BEGINNING = re.compile(rb"<(?:\?xml\s|!DOCTYPE\s+nmaprun|nmaprun[\s/>])")
WIDE = {  # by the first bytes: a byte order mark, or a tag without one
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, which it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}


@dataclass(frozen=True, slots=True)
class ReportFile:
    """`path`: where the stream can be opened again, for more processes; None: it is read once."""

    stream: IO[bytes]
    path: str | None
    remarks: list[str] = field(default_factory=list)  # what was wrong around the report, after it was read


@contextmanager
def open_report(name: str) -> Iterator[ReportFile]:
    """Raises: BadInput: there is no such file, or it cannot be read."""
    try:
        file = _standard_input() if name == STDIN else Path(name).open("rb")  # noqa: SIM115 (closed below)
        remarks: list[str] = []
        stream = _as_written(file, remarks)
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    try:
        in_place = stream is file and name != STDIN and Path(name).is_file()  # a pipe has a name too
        yield ReportFile(cast("IO[bytes]", stream), name if in_place else None, remarks)
    finally:
        if name != STDIN:
            file.close()


def _standard_input() -> io.BufferedReader:
    if sys.stdin is None:
        raise BadInput("standard input is closed")
    return cast("io.BufferedReader", sys.stdin.buffer)


def _as_written(stream: io.BufferedReader, remarks: list[str]) -> io.BufferedReader:
    """The stream unpacked, as UTF-8, from the report's beginning on; the same stream if that is what it was."""
    if stream.peek(2)[:2] == GZIP_MAGIC:
        stream = io.BufferedReader(_Pieces(_unpacked(stream, remarks)))
    if encoding := _encoding_of(stream.peek(4)):
        stream = io.BufferedReader(_Pieces(_recoded(stream, encoding)))
    if (start := stream.peek(3)) and not start.startswith((b"<", codecs.BOM_UTF8[: len(start)])):
        stream = io.BufferedReader(_Pieces(_behind_what_precedes(stream, remarks)))
    return stream


def _encoding_of(start: bytes) -> str | None:
    """None: as nmap writes, or near enough."""
    return next((encoding for mark, encoding in WIDE.items() if start.startswith(mark)), None)


def _unpacked(packed: io.BufferedReader, remarks: list[str]) -> Iterator[bytes]:
    """What a gzip stream holds, as far as it goes; then `remarks` says so."""
    import gzip  # most reports are plain
    import zlib

    file = gzip.GzipFile(fileobj=packed)
    try:
        while data := file.read1(CHUNK_BYTES):  # not read: it would lose what came before the damage
            yield data
    except (EOFError, zlib.error, gzip.BadGzipFile):
        remarks.append(DAMAGED)


def _recoded(stream: io.BufferedReader, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while data := stream.read1(CHUNK_BYTES):
        yield decoder.decode(data).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode()


def _behind_what_precedes(stream: io.BufferedReader, remarks: list[str]) -> Iterator[bytes]:
    """From the report's beginning on; from the stream's, if none is found."""
    start = bytearray()
    while not (found := BEGINNING.search(start)) and len(start) < MAX_BEFORE_BYTES:
        data = stream.read1(CHUNK_BYTES)
        if not data:
            break
        start += data
    if found and start[: found.start()].strip():
        remarks.append(PRECEDED)
    yield bytes(start[found.start() if found else 0 :])
    while data := stream.read1(CHUNK_BYTES):
        yield data


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._piece))
        view[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size
