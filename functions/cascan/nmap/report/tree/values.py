"""Convert the attributes of a report to values. None: the text does not contain such a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from cascan.nmap.report.decode import repair_utf8

MAX_DIGITS = 18  # fit into 64 bits
S = TypeVar("S", bound=msgspec.Struct)


def parse_count(text: str | None) -> int | None:
    """A whole number from 0. None: absent, or another text."""
    if text and text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        return int(text)
    return None


def parse_number(text: str | None) -> float | None:
    """A finite number. None: absent, or another text."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parse_timestamp(text: str | None) -> datetime | None:
    """Seconds since 1970, as a time. None: absent, 0, or another text."""
    seconds = parse_count(text)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None


def to_struct(kind: type[S], attributes: Mapping[str, str]) -> S:
    """A struct whose fields have the values of the attributes with the same names."""
    names = [name for name in kind.__struct_fields__ if name in attributes]
    return kind(**{name: repair_utf8(attributes[name]) for name in names})
