"""`cascan submit`: send requests from a file, and wait for their scans."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence

from cascan.errors import RequestRefused
from cascan.forms.manifest import OTHER_KINDS
from cascan_cli.errors import BadInput
from cascan_cli.input.raw_sockets import require_raw_sockets
from cascan_cli.input.request_files import read_request_file, read_vuls_requests, split_requests
from cascan_cli.output.text import print_message
from cascan_cli.stack.fail_on import choose_worst, require_wait
from cascan_cli.stack.follow import submit_and_follow
from cascan_cli.stack.open import open_stack


def run(args: Namespace) -> int:
    if args.servers and not args.vuls:
        raise BadInput("SERVER can be given only with --vuls FILE")
    require_wait(args)
    try:
        if args.vuls:
            bodies = list(read_vuls_requests(args.vuls, args.servers).values())
        else:
            bodies = split_requests(args.file, read_request_file(args.file))
    except RequestRefused as refused:
        for reason in refused.reasons:
            print_message(reason)
        raise BadInput(f"{args.vuls} is refused; nothing was sent") from refused
    if len(bodies) > 1:
        _refuse_other_kinds(args.file, bodies)
    for body in bodies:
        require_raw_sockets(body, args)
    with open_stack(args) as stack:
        return choose_worst(submit_and_follow(body, stack, args) for body in bodies)


def _refuse_other_kinds(name: str, bodies: Sequence[str]) -> None:
    """Raises: BadInput: one of several manifests is not a scan; nothing is sent then."""
    kinds = [json.loads(body).get("kind") for body in bodies]
    for number, kind in enumerate(kinds, start=1):
        if kind in OTHER_KINDS:
            raise BadInput(f"{name}: document {number}: kind {kind}: {OTHER_KINDS[kind]}; nothing was sent")
