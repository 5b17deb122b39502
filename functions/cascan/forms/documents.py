"""Text → the documents in it: JSON or YAML, divided by `---`; a List is the items in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cascan.errors import RequestRefused
from cascan.forms.document import REQUEST, read_document
from cascan.limits import MAX_APPLIED, MAX_APPLIED_VALUES

DIVIDER = re.compile(
    r"^(?:---|\.\.\.)(?=[ \t]|\r?$)", re.MULTILINE
)  # text after it on its line belongs to the document
NOTHING = ("#", "%")  # beginnings of lines without data: comments, and YAML directives
LISTS = ("List", "ScanList", "CascadingRuleList", "ScheduledScanList")


def read_documents(
    text: str,
    subject: str = "the request",
    example: str = REQUEST,
) -> list[dict[str, Any]]:
    """Raises: RequestRefused: each document that is not a mapping, by its number; more than
    MAX_APPLIED documents.
    """
    documents: list[dict[str, Any]] = []
    problems: list[str] = []
    texts = list(split_documents(text))
    for number, document_text in enumerate(texts, start=1):
        try:
            document = read_document(
                document_text,
                subject,
                example,
                max_values=MAX_APPLIED_VALUES,
            )
            documents += _read_items(document)
        except RequestRefused as exc:
            place = f"document {number}: " if len(texts) > 1 else ""
            problems += [f"{place}{reason}" for reason in exc.reasons]
    if len(documents) > MAX_APPLIED:
        excess = f"{len(documents)} documents are more than {MAX_APPLIED}"
        problems.append(f"{excess}; apply them in several goes")
    if problems:
        raise RequestRefused(problems)
    return documents


def split_documents(text: str) -> Iterator[str]:
    """The texts between dividers, except those of comments alone.

    No line inside a JSON or YAML document begins with a divider: text in quotes and blocks is
    escaped or indented.
    """
    for section in DIVIDER.split(text):
        lines = section.splitlines()
        if any(line.strip() and not line.strip().startswith(NOTHING) for line in lines):
            yield "\n".join("" if line.startswith(NOTHING) else line for line in lines)


def _read_items(document: dict[str, Any]) -> list[dict[str, Any]]:
    if document.get("kind") not in LISTS:
        return [document]
    items = document.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise RequestRefused([f"items: a {document['kind']} needs a list of manifests"])
    return items
