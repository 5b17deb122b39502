"""`cascan egress`: the networks that the workers of the stack's small VPC may reach, for the parameter WorkerEgress."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable

from cascan.permissions.egress import MAX_NETWORKS, build_egress
from cascan.settings import SettingsError
from cascan_cli.errors import BadInput
from cascan_cli.output.text import print_json, print_message


def run(args: Namespace) -> int:
    try:
        egress = build_egress(_entries(args.allowed), _entries(args.deny))
    except SettingsError as exc:
        raise BadInput(str(exc)) from exc
    for remark in egress.remarks:
        print_message(remark)
    if not 0 < len(egress.networks) <= MAX_NETWORKS:
        raise BadInput("there is no network to let out" if not egress.networks else "no value fits WorkerEgress")
    if args.json:
        print_json({"networks": egress.networks, "remarks": egress.remarks})
    else:
        print(",".join(egress.networks))
    return 0


def _entries(texts: Iterable[str]) -> list[str]:
    """Entries, as the template's parameters have them: comma-separated, or one by one."""
    return [entry for text in texts for entry in (part.strip() for part in text.split(",")) if entry]
