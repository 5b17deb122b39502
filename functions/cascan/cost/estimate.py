"""What a planned scan will cost: nmap's time, the workers that run it, and what every service is asked to do.

A low and a high end. The high end is an estimate from above: it is what budgets are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import chain

import msgspec

from cascan.cost.assumptions import LIVE, REPEATED, Assumption, list_assumptions
from cascan.cost.bill import HEARTBEAT_S, LAMBDA_START_S, SECONDS_PER_HOUR, WORKER_START_S, CostItem, Work, list_items
from cascan.cost.duration import OPEN_PORTS, TRIES, choose_scanned_share, estimate_seconds
from cascan.cost.prices import PriceList
from cascan.cost.ranges import NOTHING, Range, add_ranges
from cascan.cost.stack_shape import STANDARD_SHAPE, StackShape
from cascan.model.shard import Lane, TargetSlice
from cascan.nmap.ports.scanned_ports import count_ports
from cascan.nmap.special_addresses import HiddenIPv4, is_public
from cascan.nmap.targets.kinds import Name, Target
from cascan.nmap.targets.syntax import parse_target
from cascan.planning.lane import PROBING
from cascan.planning.plan import Plan, PortGroup

DISCOVERY_PACKETS = Range(2, 8)  # to an address, to learn whether it is up


class CostEstimate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    lane: str
    addresses: int
    shards: int
    probes: int
    workers: Range
    nmap_minutes: Range  # of all shards together
    elapsed_minutes: Range  # from the first shard to the last, without a queue before it
    usd: Range
    items: tuple[CostItem, ...]
    assumptions: tuple[Assumption, ...]
    notes: tuple[str, ...]


def estimate_cost(
    plan: Plan, prices: PriceList, shape: StackShape = STANDARD_SHAPE, live: Range = LIVE
) -> CostEstimate:
    """The estimate of a plan on a stack of this shape. `live` is the share of its addresses that are up."""
    shards = len(plan.slices)
    by_group = zip(plan.shard_arguments, plan.groups, strict=True)
    nmap_s = add_ranges(estimate_seconds(arguments, group.addresses, live) for arguments, group in by_group)
    at_once = _count_shards_at_once(plan, shape)
    work = Work(
        seconds=nmap_s * Range(1 + REPEATED.low, 1 + REPEATED.high),
        workers=NOTHING if plan.lane is Lane.EXPRESS else Range(1, math.ceil(at_once / shape.worker_slots)),
        findings=_estimate_findings(plan, live),
        packets=_estimate_packets(plan, live),
        heartbeats=nmap_s.scale(1 / HEARTBEAT_S),
        shards=shards,
        public_share=_measure_public_share(plan),
    )
    items = tuple(list_items(plan.lane, work, prices.prices, shape))
    start_s = LAMBDA_START_S if plan.lane is Lane.EXPRESS else WORKER_START_S
    waves = Range(shards / at_once, math.ceil(shards / at_once))
    elapsed_s = work.seconds.scale(1 / shards) * waves + start_s
    return CostEstimate(
        lane=plan.lane.value,
        addresses=plan.addresses,
        shards=shards,
        probes=plan.probes,
        workers=work.workers,
        nmap_minutes=round_range(nmap_s.scale(1 / 60)),
        elapsed_minutes=round_range(elapsed_s.scale(1 / 60)),
        usd=round_range(Range(sum(item.usd.low for item in items), sum(item.usd.high for item in items))),
        items=tuple(_round_item(item) for item in items),
        assumptions=tuple(list_assumptions(plan, shape, live)),
        notes=(*plan.notes, *_describe_timeout(plan, shape, nmap_s)),
    )


def round_range(value: Range) -> Range:
    """To four significant digits: an estimate claims no more."""
    return Range(float(f"{value.low:.4g}"), float(f"{value.high:.4g}"))


def _round_item(item: CostItem) -> CostItem:
    return msgspec.structs.replace(item, quantity=round_range(item.quantity), usd=round_range(item.usd))


def _count_shards_at_once(plan: Plan, shape: StackShape) -> int:
    if plan.lane is Lane.EXPRESS:
        return 1
    return max(1, min(len(plan.slices), plan.parallel, shape.max_workers * shape.worker_slots))


def _estimate_findings(plan: Plan, live: Range) -> Range:
    """One for each host that is up and for each open port; scripts and version detection find more."""
    return add_ranges(_estimate_group_findings(group, live) for group in plan.groups)


def _estimate_group_findings(group: PortGroup, live: Range) -> Range:
    ports = 0 if "-sn" in group.arguments else count_ports(group.arguments)
    per_port = 1 if PROBING.isdisjoint(group.arguments) else 3
    per_host = Range(1 + min(ports, OPEN_PORTS.low), 1 + min(ports, OPEN_PORTS.high) * per_port)
    return (per_host * live).scale(group.addresses)


def _estimate_packets(plan: Plan, live: Range) -> Range:
    scanned = choose_scanned_share(plan.arguments, live)
    return (scanned * TRIES).scale(plan.probes) + DISCOVERY_PACKETS.scale(plan.addresses)


def _measure_public_share(plan: Plan) -> float:
    """The share of the addresses on the Internet; the first of each slice decides. Names count as public."""
    targets: dict[str, Target] = {}  # a wide target is in thousands of slices, and is parsed once
    public = 0
    for target_slice in chain.from_iterable(plan.slices):
        expression = target_slice.expression
        target = targets.get(expression) or targets.setdefault(expression, parse_target(expression, plan.family))
        if _is_public_slice(target, target_slice, plan.family):
            public += target_slice.stop - target_slice.start
    return min(1.0, public / plan.addresses)


def _is_public_slice(target: Target, target_slice: TargetSlice, family: int) -> bool:
    if isinstance(target, Name):
        return True
    first = next(target.addresses(target_slice.start, target_slice.stop), None)
    if first is None:
        return True
    try:
        return is_public(family, int(ip_address(first)))
    except HiddenIPv4:
        return True


def _describe_timeout(plan: Plan, shape: StackShape, nmap_s: Range) -> Iterator[str]:
    longest_s = nmap_s.high / len(plan.slices)
    if plan.lane is not Lane.EXPRESS and longest_s > shape.shard_timeout_s:
        yield (
            f"a shard may take up to {longest_s / SECONDS_PER_HOUR:.1f} hours, and nmap is stopped after "
            f"{shape.shard_timeout_s / SECONDS_PER_HOUR:g} (ShardTimeoutSeconds): ask for fewer hostsPerShard"
        )
