"""A text file that the command line names, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from cascan_cli.errors import BadInput

STDIN = "-"


def read_text_file(name: str, max_bytes: int) -> str:
    """The text of the file; `-` reads standard input.

    Raises: BadInput: it cannot be read, is longer than `max_bytes`, or is not UTF-8.
    """
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise BadInput(f"{name} is longer than {max_bytes} bytes; split it")
        return data.decode("utf-8-sig")  # files from Windows may begin with a byte order mark
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{name} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc
