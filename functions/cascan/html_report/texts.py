"""The texts of a report: each is stored once, with the characters visible that would not be."""

from __future__ import annotations

from cascan.limits import MAX_REPORT_TEXT_CHARS

LINE_CHARACTERS = "\n\t"


def make_visible(text: str, *, keeps_lines: bool = False) -> str:
    """Control characters, and characters that change the direction of text, are written as escapes: `\\u202e`.

    `keeps_lines`: line breaks and tabs stay. A text that is too long is cut, and says so.
    """
    if len(text) > MAX_REPORT_TEXT_CHARS:
        cut = len(text) - MAX_REPORT_TEXT_CHARS
        text = f"{text[:MAX_REPORT_TEXT_CHARS]} … and {cut:,} more characters, which the XML report has"
    if text.isprintable():
        return text
    kept = LINE_CHARACTERS if keeps_lines else ""
    return "".join(char if char.isprintable() or char in kept else repr(char)[1:-1] for char in text)


class TextTable:
    """Texts by number. Number 0 is the empty text."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": 0}
        self._block_numbers: dict[str, int] = {"": 0}
        self.texts: list[str] = [""]
        self.chars = 0

    def add_line(self, text: str) -> int:
        """The number of the text, in which line breaks are visible."""
        number = self._numbers.get(text)
        return self._add(self._numbers, text, keeps_lines=False) if number is None else number

    def add_block(self, text: str) -> int:
        """The number of a text of several lines."""
        number = self._block_numbers.get(text)
        return self._add(self._block_numbers, text, keeps_lines=True) if number is None else number

    def _add(self, numbers: dict[str, int], text: str, *, keeps_lines: bool) -> int:
        visible = make_visible(text, keeps_lines=keeps_lines)
        numbers[text] = number = len(self.texts)
        self.texts.append(visible)
        self.chars += len(visible)
        return number
