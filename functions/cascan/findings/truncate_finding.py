"""A finding too large for the table → one that fits.

The report, which the finding names, keeps all of it.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cascan.ids import ReportKey
from cascan.model.finding import Finding

STRUCTURED = ("details", "scripts_data")  # `scripts` has the same as text
TEXT_FIELDS = ("name", "category", "location", "description")
MAX_TEXT_CHARS = 2_000
MAX_ENTRIES = 100
MAX_CHARS = 30_000  # of all texts and attribute names together: at most 180 KB as JSON
REMARK = "too large for the table: text and lists are cut, structured output is left out; the report has all of it"


def truncate_finding(finding: Finding, source: ReportKey | None = None) -> Finding:
    """The finding with shorter texts and lists. Its JSON is below MAX_FINDING_BYTES; its id stays.

    `attributes.cut` has the reason, and the report that contains the whole finding.
    """
    truncator = _Truncator()
    texts = {name: truncator.truncate(getattr(finding, name)) for name in TEXT_FIELDS}
    names = [name for name in finding.attributes if name not in STRUCTURED]
    unstructured = {name: finding.attributes[name] for name in names}
    attributes = truncator.truncate(unstructured)
    attributes["cut"] = {"why": REMARK, "report": str(source) if source else None}
    return replace(finding, **texts, attributes=attributes)


class _Truncator:
    """Truncates one value after another. Once MAX_CHARS are spent, all further values are empty."""

    def __init__(self) -> None:
        self._chars_available = MAX_CHARS

    def truncate(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value)
            case list():
                return [self.truncate(entry) for entry in value[:MAX_ENTRIES] if self._spend(1)]
            case dict():
                entries = list(value.items())[:MAX_ENTRIES]
                return {self._text(str(name)): self.truncate(entry) for name, entry in entries if self._spend(1)}
        return value

    def _text(self, text: str) -> str:
        truncated = text[: max(0, min(MAX_TEXT_CHARS, self._chars_available))]
        self._chars_available -= len(truncated)
        return truncated

    def _spend(self, chars: int) -> bool:
        """Whether characters are still available."""
        self._chars_available -= chars
        return self._chars_available > 0
