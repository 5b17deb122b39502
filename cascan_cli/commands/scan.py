"""`cascan scan`: send a request from the command line, and wait for its scan."""

from __future__ import annotations

import json
from argparse import Namespace

from cascan_cli.errors import BadInput
from cascan_cli.input.raw_sockets import require_raw_sockets
from cascan_cli.input.target_lists import collect_targets
from cascan_cli.stack.interruption import report_request_sent
from cascan_cli.stack.open import open_stack


def run(args: Namespace) -> int:
    if not (args.targets or args.targets_file):
        raise BadInput("name a target, a file of them (--targets-file FILE), or - for standard input")
    body = json.dumps(build_request(args))
    require_raw_sockets(body, args)
    if args.fail_on:
        from cascan_cli.stack.fail_on import require_wait

        require_wait(args)
    with open_stack(args) as stack:
        message_id = stack.request_queue.send(body)
        with report_request_sent():
            # Imported while the request is on its way: it takes as long as a small scan
            from cascan_cli.stack.follow import follow_request

            return follow_request(body, message_id, stack, args)


def build_request(args: Namespace) -> dict[str, object]:
    """The arguments as a request in the short form.

    Raises: BadInput: a label without a value, or a list of targets that cannot be read.
    """
    labels = {}
    for label in args.label:
        key, equals, value = label.partition("=")
        if not (key and equals):
            raise BadInput(f"--label {label!r} is not KEY=VALUE")
        labels[key] = value
    request = {
        "name": args.name,
        "targets": collect_targets(args),
        "exclude": args.exclude,
        "parameters": args.nmap_arguments,
        "labels": labels,
    }
    if args.type:
        request["scanType"] = args.type
    if args.vantage:
        request["vantage"] = args.vantage
    if args.identity:
        request["identity"] = args.identity
    return request
