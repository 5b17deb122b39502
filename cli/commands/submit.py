"""`cascan submit`: a request from a file, followed to its end."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.limits import MAX_REQUEST_BYTES
from cli.access import access
from cli.errors import BadInput
from cli.follow import submit_and_follow


def run(args: Namespace) -> int:
    body = read_body(args.file)
    with access(args) as stack:
        return submit_and_follow(body, idempotency_key_of(body), stack, args)


def idempotency_key_of(body: str) -> str:
    """The request's own key, which its scan's id derives from; empty: it has none, or will be refused."""
    try:
        return read_request(body).request.idempotency_key
    except RequestRefused:
        return ""


def read_body(name: str) -> str:
    """The text of the file. Raises: BadInput: it cannot be read, is empty, too long, or not UTF-8."""
    try:
        data = sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1) if name == "-" else _head(Path(name))
        body = data.decode()
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{name} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc
    if len(data) > MAX_REQUEST_BYTES:
        raise BadInput(f"{name} is longer than the {MAX_REQUEST_BYTES} bytes of one request; split it")
    if not body.strip():
        raise BadInput(f"{name} is empty")
    return body


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_REQUEST_BYTES + 1)
