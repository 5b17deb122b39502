"""A finding too large for the table → one that is not. The report keeps what is cut, and the finding says which."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cascan.ids import ReportKey
from cascan.model.finding import Finding

STRUCTURED = ("details", "scripts_data")  # the same as text is in `scripts`
MAX_TEXT_CHARS = 2_000
MAX_ENTRIES = 100
MAX_CHARS = 30_000  # of all texts together, names of attributes too: at most 180 KB as JSON
REMARK = "too large for the table: text and lists are cut, structured output is left out; the report has all of it"


def truncate_finding(finding: Finding, source: ReportKey | None = None) -> Finding:
    """The finding with its bulk cut; its id and port stay. `attributes.cut` says why, and which report has all of it.

    However it is filled, its JSON is below MAX_FINDING_BYTES.
    """
    cutter = _Cutter()
    texts = {name: cutter.cut(getattr(finding, name)) for name in ("name", "category", "location", "description")}
    kept = {name: value for name, value in finding.attributes.items() if name not in STRUCTURED}
    cut = {"why": REMARK, "report": str(source) if source else None}
    return replace(finding, **texts, attributes=cutter.cut(kept) | {"cut": cut})


class _Cutter:
    """Cuts one value after another, until MAX_CHARS are spent: what comes later is empty."""

    def __init__(self) -> None:
        self._left = MAX_CHARS

    def cut(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value)
            case list():
                return [self.cut(entry) for entry in value[:MAX_ENTRIES] if self._spend(1)]
            case dict():
                entries = list(value.items())[:MAX_ENTRIES]
                return {self._text(str(name)): self.cut(entry) for name, entry in entries if self._spend(1)}
        return value

    def _text(self, text: str) -> str:
        kept = text[: max(0, min(MAX_TEXT_CHARS, self._left))]
        self._left -= len(kept)
        return kept

    def _spend(self, chars: int) -> bool:
        """False: nothing is left to spend."""
        self._left -= chars
        return self._left > 0
