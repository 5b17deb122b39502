"""Requests in files: one request, several documents, or the servers of a Vuls configuration."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cascan.errors import RequestRefused
from cascan.forms.documents import read_documents, split_documents
from cascan.limits import MAX_REQUEST_BYTES
from cascan_cli.errors import BadInput
from cascan_cli.output.text import print_message


def read_request_file(name: str) -> str:
    """The text of the file; `-` reads standard input.

    Raises: BadInput: it cannot be read, is empty, too long, or not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1) if name == "-" else _read_start(Path(name))
        text = data.decode()
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{name} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc
    if len(data) > MAX_REQUEST_BYTES:
        raise BadInput(f"{name} is longer than the {MAX_REQUEST_BYTES} bytes of one request; split it")
    if not text.strip():
        raise BadInput(f"{name} is empty")
    return text


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_REQUEST_BYTES + 1)


def split_requests(name: str, text: str) -> list[str]:
    """Each request of the file as a message.

    A file with a single document is sent unchanged, also if it is invalid: the stack then says what
    is wrong.

    Raises: BadInput: the file has several documents, and one of them cannot be read.
    """
    try:
        documents = read_documents(text)
    except RequestRefused as exc:
        if len(list(split_documents(text))) > 1:
            raise BadInput("\n".join(f"{name}: {reason}" for reason in exc.reasons)) from exc
        return [text]
    return [json.dumps(document) for document in documents] if len(documents) > 1 else [text]


def read_vuls_requests(name: str, servers: Sequence[str]) -> dict[str, str]:
    """Read a Vuls configuration: the name of each server, and its request.

    Raises: BadInput: the file cannot be read. RequestRefused: every problem in it.
    """
    # Imported here: other requests do not need the TOML library.
    from cascan.forms.vuls import read_vuls

    read = read_vuls(read_request_file(name), servers)
    for note in read.notes:
        print_message(f"note: {note}")
    return {server: json.dumps(document) for server, document in read.documents.items()}
