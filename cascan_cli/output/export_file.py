"""A document that is made piece by piece → a file, or standard output.

A file appears when it is complete: a reader never finds a part of it, and a failed export leaves
the earlier file as it was. Only its owner can read a new file, since it lists what is open where.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import Progress, discard_output, pluralize, print_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")
STANDARD_OUTPUT = "-"
PROGRESS_AFTER_S = 2.0  # most documents are complete by then
CHUNKS_BETWEEN_LOOKS = 64  # at the clock


class ExportProgress:
    """Counts what is written to a file, and says so in a terminal; on standard output the document is alone."""

    def __init__(self, output: str, unit: str = "") -> None:
        """`unit`: what a row is; empty: rows are not counted."""
        self._output = output
        self._unit = unit
        self._is_shown = not is_standard_output(output) and sys.stderr.isatty()
        self._rows = 0
        self._size = 0

    def count(self, rows: Iterable[T]) -> Iterable[T]:
        """The same rows, each of which is counted when it is read."""
        return self._count(rows) if self._is_shown else rows

    def _count(self, rows: Iterable[T]) -> Iterator[T]:
        for row in rows:
            self._rows += 1
            yield row

    def watch(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """The same chunks, with the progress on a line of the terminal, and at its end what was written."""
        return self._watch(chunks) if self._is_shown else chunks

    def _watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        started = time.monotonic()
        with Progress() as progress:
            for number, chunk in enumerate(chunks):
                self._size += len(chunk)
                yield chunk
                if number % CHUNKS_BETWEEN_LOOKS == 0 and time.monotonic() - started > PROGRESS_AFTER_S:
                    progress.show(f"{self._describe()} so far, to {self._output}")

    def print_end(self) -> None:
        """Say what was written."""
        if self._is_shown:
            print_message(f"{self._describe()} written to {self._output}")

    def _describe(self) -> str:
        rows = f"{self._rows:,} {self._unit if self._rows == 1 else self._unit + 's'}, " if self._unit else ""
        return f"{rows}{format_size(self._size)}"


def format_size(size: int) -> str:
    """`1 byte`, `812 bytes`, `1.2 kB`, `3.4 MB`."""
    if size < 1_000:  # noqa: PLR2004 - what a kilobyte is
        return pluralize(size, "byte")
    thousands = size / 1_000
    return f"{thousands:,.1f} kB" if thousands < 1_000 else f"{thousands / 1_000:,.1f} MB"  # noqa: PLR2004


def is_standard_output(output: str) -> bool:
    return output in ("", STANDARD_OUTPUT)


def write_document(chunks: Iterable[bytes], output: str, progress: ExportProgress | None = None) -> None:
    """Write to the file `output`; `-` or an empty name is standard output. In a terminal, say what was written.

    Raises: BadInput: the file cannot be written.
    """
    if is_standard_output(output):
        print_document(chunks)
        return
    progress = progress or ExportProgress(output)
    _write_file(progress.watch(chunks), output)
    progress.print_end()


def _write_file(chunks: Iterable[bytes], output: str) -> None:
    path = _follow_links(output)
    try:
        if path.exists() and not path.is_file():  # such as /dev/null or a named pipe
            with path.open("wb") as file:
                file.writelines(chunks)
        else:
            _replace_file(path, chunks)
    except OSError as exc:
        raise BadInput(f"{output}: {exc.strerror or exc}") from exc


def _follow_links(output: str) -> Path:
    """The file itself: a link to it stays. Raises: BadInput: links lead in a circle."""
    path = Path(output)
    with suppress(RuntimeError):  # for links in a circle, up to Python 3.12; later versions return the link
        path = path.resolve()
        if not path.is_symlink():
            return path
    raise BadInput(f"{output}: a symbolic link that leads back to itself")


def print_document(chunks: Iterable[bytes]) -> None:
    """Print on standard output. In a terminal, non-ASCII is escaped, since some of it moves the cursor."""
    if sys.stdout.isatty():
        chunks = map(escape_non_ascii, chunks)
    try:
        sys.stdout.buffer.writelines(chunks)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        discard_output()
        raise CliError(f"reading or writing failed: {exc.strerror}") from exc


def escape_non_ascii(text: bytes) -> bytes:
    """Replace non-ASCII characters by JSON escapes such as \\u00e9."""
    import re  # only output to a terminal needs it

    def to_escapes(match: re.Match[str]) -> str:
        data = match[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{data[i] << 8 | data[i + 1]:04x}" for i in range(0, len(data), 2))

    return re.sub(r"[^\x00-\x7e]", to_escapes, text.decode("utf-8", "replace")).encode("ascii")


def _replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0
    number, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.writelines(chunks)
        if mode:
            draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
