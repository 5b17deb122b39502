"""A file with requests: one as it is, or several divided by `---` or in a List."""

from __future__ import annotations

import json

from cascan.errors import RequestRefused
from cascan.forms.documents import read_documents, split_documents
from cascan_cli.errors import BadInput


def split_requests(name: str, text: str) -> list[str]:
    """Each request as a message. One that stands alone is sent as it was written, and judged by whoever gets it.

    Raises: BadInput: one of several cannot be read.
    """
    try:
        documents = read_documents(text)
    except RequestRefused as exc:
        if len(list(split_documents(text))) > 1:
            raise BadInput("\n".join(f"{name}: {reason}" for reason in exc.reasons)) from exc
        return [text]
    return [json.dumps(document) for document in documents] if len(documents) > 1 else [text]
