"""`cascan egress`: compute the stack parameter WorkerEgress, the networks that workers may reach."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable

from cascan.model.worker_network import WorkerNetwork
from cascan.permissions.egress import MAX_NETWORKS, build_egress
from cascan.settings import SettingsError
from cascan_cli.errors import BadInput
from cascan_cli.output.text import print_json, print_message


def run(args: Namespace) -> int:
    try:
        network = WorkerNetwork.of_stack(args.network, "")
        egress = build_egress(_split_lists(args.allowed), _split_lists(args.deny), network)
    except SettingsError as exc:
        raise BadInput(str(exc)) from exc
    for remark in egress.remarks:
        print_message(remark)
    if not egress.networks:
        raise BadInput("no network left to reach: WorkerEgress would be empty")
    if len(egress.networks) > MAX_NETWORKS:
        raise BadInput("WorkerEgress has too many networks")
    if args.json:
        print_json({"networks": egress.networks, "remarks": egress.remarks})
    else:
        print(",".join(egress.networks))
    return 0


def _split_lists(texts: Iterable[str]) -> list[str]:
    """Split lists that are separated by commas, as in the parameters of the template."""
    entries = (entry.strip() for text in texts for entry in text.split(","))
    return [entry for entry in entries if entry]
