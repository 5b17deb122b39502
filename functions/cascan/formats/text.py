"""Text from scanned hosts, made harmless for one line of a document."""

from __future__ import annotations


def to_line(value: object) -> str:
    """The value as one line of printable characters; others become escapes such as \\n. None is empty."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(map(_escape, text))


def shorten(text: str, max_chars: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"


def _escape(char: str) -> str:
    return char if char.isprintable() else repr(char)[1:-1]
