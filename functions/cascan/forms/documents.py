"""Text → the documents in it: JSON or YAML, divided by `---`; a List is the items in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cascan.errors import RequestRefused
from cascan.forms.document import REQUEST, read_document
from cascan.limits import MAX_APPLIED, MAX_APPLIED_VALUES

DIVIDER = re.compile(r"^(?:---|\.\.\.)(?=[ \t]|\r?$)", re.MULTILINE)  # what stands behind it belongs to the document
NOTHING = ("#", "%")  # how lines begin that hold no data: comments, and what a stream says of YAML itself
LISTS = ("List", "ScanList", "CascadingRuleList", "ScheduledScanList")


def read_documents(text: str, what: str = "the request", example: str = REQUEST) -> list[dict[str, Any]]:
    """Raises: RequestRefused: what of it is no mapping, each sentence with the number of its document."""
    documents: list[dict[str, Any]] = []
    problems: list[str] = []
    parts = list(split_documents(text))
    for number, part in enumerate(parts, start=1):
        try:
            documents += _items(read_document(part, what, example, most_values=MAX_APPLIED_VALUES))
        except RequestRefused as exc:
            place = f"document {number}: " if len(parts) > 1 else ""
            problems += [f"{place}{reason}" for reason in exc.reasons]
    if len(documents) > MAX_APPLIED:
        problems.append(f"{len(documents)} documents are more than {MAX_APPLIED}; apply them in several goes")
    if problems:
        raise RequestRefused(problems)
    return documents


def split_documents(text: str) -> Iterator[str]:
    """What stands between dividers, without parts that hold nothing but comments. No line of a JSON or YAML document
    begins with a divider: text within quotes and blocks is escaped or indented."""
    for part in DIVIDER.split(text):
        lines = part.splitlines()
        if any(line.strip() and not line.strip().startswith(NOTHING) for line in lines):
            yield "\n".join("" if line.startswith(NOTHING) else line for line in lines)


def _items(document: dict[str, Any]) -> list[dict[str, Any]]:
    if document.get("kind") not in LISTS:
        return [document]
    items = document.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise RequestRefused([f"items: a {document['kind']} has a list of manifests there"])
    return items
