"""Attributes of a report as values. In goes the text, out comes the value, or None where the text is none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from cascan.model.details import parse_count
from cascan.nmap.report.decode import repair_utf8

S = TypeVar("S", bound=msgspec.Struct)


def parse_timestamp(text: str | None) -> datetime | None:
    """Seconds since 1970 as an instant; None when they are absent, 0, or none."""
    seconds = parse_count(text)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None


def to_struct(kind: type[S], attributes: Mapping[str, str]) -> S:
    """The attributes as a value of that kind, field by field of the same name; what it has no field for is left out."""
    return kind(**{name: repair_utf8(attributes[name]) for name in kind.__struct_fields__ if name in attributes})
