"""A report to read: a file or standard input, plain or gzip, as a stream that ends where it cannot go on."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from cli.errors import BadInput

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"
STDIN = "-"
DAMAGED = "The gzip stream is damaged or cut short."


@dataclass(frozen=True, slots=True)
class ReportFile:
    """`path`: where the stream can be opened again, for more processes; None: it is read once."""

    stream: IO[bytes]
    path: str | None
    remarks: list[str] = field(default_factory=list)  # what was wrong with the packing, after it was read


@contextmanager
def opened(name: str) -> Iterator[ReportFile]:
    """Raises: BadInput: there is no such file, or it cannot be read."""
    try:
        stream = sys.stdin.buffer if name == STDIN else Path(name).open("rb")  # noqa: SIM115 (closed below)
        is_packed = cast("io.BufferedReader", stream).peek(2)[:2] == GZIP_MAGIC
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    try:
        if is_packed:
            remarks: list[str] = []
            yield ReportFile(cast("IO[bytes]", _Unpacked(stream, remarks)), None, remarks)
        else:
            yield ReportFile(stream, name if name != STDIN and Path(name).is_file() else None)  # a pipe has a name too
    finally:
        if name != STDIN:
            stream.close()


class _Unpacked(io.RawIOBase):
    """What a gzip stream holds, as far as it goes; then `remarks` says so."""

    def __init__(self, packed: IO[bytes], remarks: list[str]) -> None:
        import gzip  # noqa: PLC0415 (most reports are plain)
        import zlib  # noqa: PLC0415

        self._unpacked = gzip.GzipFile(fileobj=packed)
        self._damage = (EOFError, zlib.error, gzip.BadGzipFile)
        self._remarks = remarks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = self._unpacked.read1(len(view))  # not read: it would lose what came before the damage
        except self._damage:
            self._remarks[:] = [DAMAGED]
            return 0
        view[: len(data)] = data
        return len(data)
