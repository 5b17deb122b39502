"""A finding that no table item holds → one that it does. The raw report keeps what is cut."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cascan.model.finding import Finding

STRUCTURED = ("details", "scripts_data")  # the same as text is in `scripts`
MAX_TEXT_CHARS = 2_000
MAX_ENTRIES = 100
REMARK = "too large for the table: text and lists are cut, structured output is left out; the report has all of it"


def cut_down(finding: Finding) -> Finding:
    """The finding with its bulk cut, and a remark under `attributes.cut`. Its id, name and port stay."""
    kept = {name: _cut(value) for name, value in finding.attributes.items() if name not in STRUCTURED}
    return replace(finding, description=_cut(finding.description), attributes=kept | {"cut": REMARK})


def _cut(value: Any) -> Any:
    match value:
        case str():
            return value[:MAX_TEXT_CHARS]
        case list():
            return [_cut(entry) for entry in value[:MAX_ENTRIES]]
        case dict():
            return {str(name)[:MAX_TEXT_CHARS]: _cut(entry) for name, entry in list(value.items())[:MAX_ENTRIES]}
    return value
