"""`cascan vantage add|list|remove`: the places besides the stack itself that scans are run from."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import to_builtins
from msgspec.structs import replace

from cascan.clock import utc_now
from cascan.limits import MAX_VANTAGE_NETWORKS, MAX_VANTAGES
from cascan.model.scan import FINAL_STATES
from cascan.model.vantage import DEFAULT_VANTAGE, EXPRESS_VANTAGE, NAME_RULE, Vantage, is_vantage_name
from cascan.permissions.worker_reach import WorkerReach
from cascan.recovery.operator_records import record_vantage
from cascan.settings import SettingsError
from cascan_cli.errors import BadInput
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.gateways import ScanTable

NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
COLUMNS = ("VANTAGE", "LANES", "REACHES", "DESCRIPTION")
MAX_OPEN_NAMED = 5
MAX_OPEN_LOOKED_AT = 1_000  # of the newest scans, for those that are still open


def run(args: Namespace) -> int:
    """Exit code 0: done. 2: bad input, and nothing was changed."""
    with open_stack(args) as stack:
        if args.action == "list":
            _list(stack.table, args)
        elif args.action == "add":
            if args.namespace:
                _require_namespace(args, stack)
            _add(_build_vantage(args, stack), stack, as_json=args.json)
        else:
            _remove(args.name, stack, force=args.force, as_json=args.json)
    return 0


def _require_namespace(args: Namespace, stack: StackGateways) -> None:
    """Raises: BadInput: the stack is not on this machine, or a queue is named, or it is no name."""
    if not stack.is_local:
        raise BadInput("--namespace: only the stack of this machine has vantages in its network namespaces")
    if args.connect_queue or args.raw_queue:
        raise BadInput("--namespace: its queues are made; leave --connect-queue and --raw-queue out")
    if not NAMESPACE.fullmatch(args.namespace):
        raise BadInput(f"--namespace: {args.namespace!r} is no name of a network namespace; `ip netns list` shows them")


def _build_vantage(args: Namespace, stack: StackGateways) -> Vantage:
    """Raises: BadInput: the name, a network or the queues are wrong."""
    name = args.name
    if name == DEFAULT_VANTAGE or not is_vantage_name(name):
        reason = "is the stack itself" if name == DEFAULT_VANTAGE else f"is no name: {NAME_RULE}"
        raise BadInput(f"NAME: {name!r} {reason}")
    if name == EXPRESS_VANTAGE:
        raise BadInput(f"NAME: {name!r} is reserved for the express function; choose another name")
    if len(args.network) > MAX_VANTAGE_NETWORKS:
        raise BadInput(f"--network: {len(args.network)} networks are more than {MAX_VANTAGE_NETWORKS}")
    queues = {"connect": args.connect_queue, "raw": args.raw_queue}
    vantage = Vantage(
        name=name,
        queues={lane: url for lane, url in queues.items() if url},
        namespace=args.namespace,
        description=args.description,
        networks=tuple(args.network),
        has_ipv6=args.ipv6,
        stored_at=utc_now(),
    )
    try:
        WorkerReach.of_vantage(vantage)
    except SettingsError as exc:
        raise BadInput(f"--network: {exc}") from exc
    if args.namespace:
        from cascan.aws.sqs.vantage_queues import create_vantage_queues

        reader, parked = stack.outputs["OnShardAbandonedName"], stack.outputs["ParkedShardsArn"]
        urls = create_vantage_queues(name, queues, reader=reader, parked_shards_arn=parked)
        return replace(vantage, queues=urls)
    if not vantage.queues:
        raise BadInput("--connect-queue, --raw-queue: give the URL of at least one")
    return vantage


def _add(vantage: Vantage, stack: StackGateways, *, as_json: bool) -> None:
    others = [other for other in stack.table.vantages() if other.name != vantage.name]
    if len(others) >= MAX_VANTAGES:
        raise BadInput(f"NAME: the stack has {len(others)} vantages, and may have {MAX_VANTAGES}")
    stack.table.put_vantage(vantage)
    back_up(record_vantage, stack.operator_records, stack.table, vantage.name)
    if as_json:
        print_json(vantage)
    else:
        print(f"{vantage.name} is known; requests name it under `vantage`, commands with --vantage {vantage.name}")


def _list(table: ScanTable, args: Namespace) -> None:
    """List the vantages. In a table the stack itself has a row, too; in JSON it is left out."""
    known = [vantage for vantage in table.vantages() if vantage.removed_at is None]
    if args.json or args.form in ("json", "jsonl"):
        vantages: list[Vantage | None] = [*known]
    else:
        vantages = [None, *known]
    listing = Listing(
        title="vantages",
        unit="vantage",
        items=vantages,
        columns=COLUMNS,
        to_row=_describe,
        to_json=to_builtins,
        whole=("VANTAGE",),
    )
    print_listing(listing, args)


def _describe(vantage: Vantage | None) -> tuple[str, ...]:
    """The row of a vantage; None: of the stack itself."""
    if vantage is None:
        return DEFAULT_VANTAGE, "express, connect, raw", "", "the stack's own workers"
    networks = list(vantage.networks) or ["not stated"]
    if vantage.has_ipv6:
        networks.append("IPv6")
    return vantage.name, ", ".join(sorted(vantage.queues)), ", ".join(networks), vantage.description


def _remove(name: str, stack: StackGateways, *, force: bool, as_json: bool) -> None:
    """Raises: BadInput: there is no such vantage, or scans of it are open and `force` is not set."""
    vantage = stack.table.get_vantage(name)
    if vantage is None or vantage.removed_at is not None:
        raise BadInput(f"NAME: there is no vantage {name!r}; see cascan vantage list")
    if not force and (still_open := list(_find_open(name, stack.table))):
        raise BadInput(
            f"NAME: {_describe_open(still_open)}; wait for their end, cancel them, or repeat this with --force: "
            "new scans are refused then, and these run on"
        )
    stack.table.put_vantage(replace(vantage, removed_at=utc_now()))
    back_up(record_vantage, stack.operator_records, stack.table, name)
    # Also those that were accepted a moment ago
    still_open = list(_find_open(name, stack.table))
    if as_json:
        print_json({"name": name, "openScans": still_open})
        return
    print(f"{name} takes no new scans; its inventory and its history stay")
    if still_open:
        print_message(f"{_describe_open(still_open)}; leave its queues and workers until then")


def _describe_open(scan_ids: list[str]) -> str:
    scans = pluralize(len(scan_ids), "scan")
    return f"{scans} of it not ended yet: {', '.join(scan_ids[:MAX_OPEN_NAMED])}"


def _find_open(name: str, table: ScanTable) -> Iterator[str]:
    scans = table.list_scans(MAX_OPEN_LOOKED_AT)
    return (scan.scan_id for scan in scans if scan.vantage == name and scan.state not in FINAL_STATES)
