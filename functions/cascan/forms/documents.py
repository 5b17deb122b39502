"""Text → the manifests in it: one JSON mapping, or YAML documents divided by `---`; a List is the items in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cascan.errors import RequestRefused
from cascan.forms.document import read_document
from cascan.limits import MAX_APPLIED, MAX_APPLIED_VALUES

DIVIDER = re.compile(r"^---(?:[ \t].*)?\r?$", re.MULTILINE)
LISTS = ("List", "ScanList", "CascadingRuleList", "ScheduledScanList")


def read_documents(text: str) -> list[dict[str, Any]]:
    """Raises: RequestRefused: what of it is no manifest, each sentence with the number of its document."""
    documents: list[dict[str, Any]] = []
    problems: list[str] = []
    for number, part in enumerate(_parts(text), start=1):
        try:
            documents += _items(read_document(part, most_values=MAX_APPLIED_VALUES))
        except RequestRefused as exc:
            problems += [f"document {number}: {reason}" for reason in exc.reasons]
    if len(documents) > MAX_APPLIED:
        problems.append(f"{len(documents)} documents are more than {MAX_APPLIED}; apply them in several goes")
    if problems:
        raise RequestRefused(problems)
    return documents


def _parts(text: str) -> Iterator[str]:
    """What stands between dividers, without parts that hold nothing but comments."""
    parts = [text] if text.lstrip().startswith("{") else DIVIDER.split(text)
    for part in parts:
        if any(line.strip() and not line.lstrip().startswith("#") for line in part.splitlines()):
            yield part


def _items(document: dict[str, Any]) -> list[dict[str, Any]]:
    if document.get("kind") not in LISTS:
        return [document]
    items = document.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise RequestRefused([f"items: a {document['kind']} has a list of manifests there"])
    return items
