"""A file of expected exposure: its text, and what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from cascan.exposure.expectations import ExposureFile

STDIN = "-"


def read_exposure_text(name: str) -> str:
    """The text of the file; `-` reads standard input. Raises: BadInput: it cannot be read, or is not UTF-8."""
    from cascan.limits import MAX_EXPOSURE_FILE_BYTES

    try:
        data = sys.stdin.buffer.read(MAX_EXPOSURE_FILE_BYTES + 1) if name == STDIN else Path(name).read_bytes()
        return data.decode()
    except FileNotFoundError as exc:
        raise BadInput(f"{name}: no such file; `cascan exposure init -o {name}` writes a first one") from exc
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{name} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc


def parse_exposure_text(name: str, text: str) -> ExposureFile:
    """What the text says. Raises: BadInput: after every problem was printed, each with its line."""
    from cascan.errors import RequestRefused
    from cascan.exposure.read_exposure_file import read_exposure_file

    try:
        return read_exposure_file(text)
    except RequestRefused as refused:
        for reason in refused.reasons:
            print_message(f"{name}: {reason}")
        raise BadInput(f"{name} is not a valid file of expected exposure") from refused


def load_exposure_file(name: str) -> ExposureFile:
    """The file. Raises: BadInput."""
    return parse_exposure_text(name, read_exposure_text(name))
