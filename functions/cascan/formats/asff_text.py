"""Text and values for ASFF: printable, within the lengths of the format, and without empty parts."""

from __future__ import annotations

from typing import Any

from cascan.formats.text import shorten, to_line


def clean_text(value: object, max_chars: int) -> str:
    """One line of printable characters, cut with an ellipsis."""
    return shorten(to_line(value).strip(), max_chars)


def drop_empty(value: Any) -> Any:
    """The JSON value without fields that are None or empty: Security Hub refuses empty texts and lists."""
    if not isinstance(value, dict):
        return value
    fields = {name: drop_empty(field) for name, field in value.items()}
    return {name: field for name, field in fields.items() if field not in (None, "", [], {})}
