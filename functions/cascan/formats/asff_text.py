"""Text and values for ASFF: printable, within the lengths of the format, and without empty parts."""

from __future__ import annotations

from typing import Any

from cascan.formats.text import shorten, to_line


def clean_text(value: object, max_chars: int) -> str:
    """One line of printable characters, cut with an ellipsis."""
    return shorten(to_line(value).strip(), max_chars)


def drop_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields without those that are None or empty: Security Hub refuses empty texts and lists."""
    nested = {name: drop_empty(field) if isinstance(field, dict) else field for name, field in fields.items()}
    return {name: field for name, field in nested.items() if field not in (None, "", [], {})}
