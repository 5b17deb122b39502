"""A file of expected exposure: its text, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput
from cascan_cli.input.text_file import STDIN, read_text_file
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from cascan.exposure.expectations import ExposureFile


def read_exposure_text(name: str) -> str:
    """The text of the file; `-` reads standard input.

    Raises: BadInput: it cannot be read, is too long, or is not UTF-8.
    """
    from cascan.limits import MAX_EXPOSURE_FILE_BYTES

    if name != STDIN and not Path(name).exists():
        raise BadInput(f"{name}: no such file; `cascan exposure init -o {name}` writes a first one")
    return read_text_file(name, MAX_EXPOSURE_FILE_BYTES)


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
