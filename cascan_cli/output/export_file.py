"""A document that is made piece by piece → a file, or standard output.

A file appears when it is complete: a reader never finds a part of it, and a failed export leaves
the earlier file as it was. Only its owner can read a new file, since it lists what is open where.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import discard_output

if TYPE_CHECKING:
    from collections.abc import Iterable

STANDARD_OUTPUT = "-"


def write_document(chunks: Iterable[bytes], output: str) -> None:
    """Write to the file `output`; `-` or an empty name is standard output.

    Raises: BadInput: the file cannot be written.
    """
    if output in ("", STANDARD_OUTPUT):
        print_document(chunks)
        return
    path = Path(output).resolve()  # a link stays, and its target is replaced
    try:
        if path.exists() and not path.is_file():  # such as /dev/null or a named pipe
            with path.open("wb") as file:
                file.writelines(chunks)
        else:
            _replace_file(path, chunks)
    except OSError as exc:
        raise BadInput(f"{output}: {exc.strerror or exc}") from exc


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
