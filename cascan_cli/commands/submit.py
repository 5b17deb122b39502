"""`cascan submit`: a request from a file, or those of Vuls' configuration, followed to their end."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from cascan.errors import RequestRefused
from cascan.forms.manifest import OTHER_KINDS
from cascan.limits import MAX_REQUEST_BYTES
from cascan_cli.errors import BadInput
from cascan_cli.input.raw_sockets import require_raw_sockets
from cascan_cli.input.request_files import split_requests
from cascan_cli.output.text import print_message
from cascan_cli.stack.follow import submit_and_follow
from cascan_cli.stack.open import open_stack


def run(args: Namespace) -> int:
    if args.servers and not args.vuls:
        raise BadInput("servers are named with --vuls FILE")
    try:
        if args.vuls:
            bodies = list(vuls_bodies(args.vuls, args.servers).values())
        else:
            bodies = split_requests(args.file, read_body(args.file))
    except RequestRefused as refused:
        for reason in refused.reasons:
            print_message(reason)
        raise BadInput(f"{args.vuls} is refused; nothing was sent") from refused
    if len(bodies) > 1:
        _refuse_other_kinds(args.file, bodies)
    for body in bodies:
        require_raw_sockets(body, args)
    with open_stack(args) as stack:
        return max(submit_and_follow(body, stack, args) for body in bodies)


def _refuse_other_kinds(name: str, bodies: Sequence[str]) -> None:
    """Raises: BadInput: of several manifests one is no scan; nothing is sent then."""
    kinds = [json.loads(body).get("kind") for body in bodies]
    for number, kind in enumerate(kinds, start=1):
        if kind in OTHER_KINDS:
            raise BadInput(f"{name}: document {number}: kind {kind}: {OTHER_KINDS[kind]}; nothing was sent")


def vuls_bodies(name: str, servers: Sequence[str]) -> dict[str, str]:
    """Server → its request. Raises: BadInput: the file cannot be read. RequestRefused: all that is wrong in it."""
    from cascan.forms.vuls import read_vuls  # who reads no TOML needs none of it

    documents, notes = read_vuls(read_body(name), servers)
    for note in notes:
        print_message(f"note: {note}")
    return {server: json.dumps(document) for server, document in documents.items()}


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
