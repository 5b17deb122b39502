"""What an estimate takes for granted, as rows for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from cascan.cost.duration import FAST_HOST_SECONDS, OPEN_PORTS, TRIES, choose_scanned_share, estimate_seconds, find_rate
from cascan.cost.ranges import Range, exactly
from cascan.cost.stack_shape import StackShape
from cascan.model.shard import Lane
from cascan.planning.plan import Plan

LIVE = Range(0.1, 1.0)  # the share of the addresses that are up
REPEATED = Range(0, 0.25)  # of nmap's time: what is done again after a failure, or after Spot stopped a worker


class Assumption(msgspec.Struct, frozen=True):
    """What the estimate takes for granted, with the reason or the source."""

    name: str
    value: str
    reason: str


def list_assumptions(plan: Plan, shape: StackShape, live: Range) -> Iterator[Assumption]:
    if choose_scanned_share(plan.arguments, live) == live:
        yield Assumption("live hosts", _format_percent(live), "ports are scanned of hosts that are up; --live-share")
    else:
        yield Assumption("live hosts", "all", "-Pn scans every address")
    open_ports = f"{OPEN_PORTS.low:.0f} to {OPEN_PORTS.high:.0f}"
    yield Assumption("open ports", open_ports, "of each live host, and a finding for each")
    of_groups = [estimate_seconds(arguments, 1, exactly(1)) for arguments in plan.shard_arguments]
    host_s = Range(min(seconds.low for seconds in of_groups), max(seconds.high for seconds in of_groups))
    reason = f"for a host that is up; at least {FAST_HOST_SECONDS} s for one that is down"
    yield Assumption("nmap's time", f"{host_s.low:.4g} to {host_s.high:.4g} s", reason)
    yield Assumption("retries", f"{TRIES.low:.0f} to {TRIES.high:.0f}", "packets to each port")
    yield Assumption("timing template", _find_template(plan.arguments), "of the request; -T3 is nmap's default")
    yield Assumption("rate", _describe_rate(plan), "packets a second of one shard")
    yield Assumption("repeated work", _format_percent(REPEATED), "after failures, and after Spot stops a worker")
    if plan.lane is not Lane.EXPRESS:
        size = f"{shape.vcpu:g} vCPU, {shape.memory_gb:g} GB"
        bought = "Spot at the low end, on demand at the high end" if shape.spot else "on demand"
        yield Assumption("worker", size, f"{bought}; at most {shape.max_workers} of them")


def _format_percent(share: Range) -> str:
    low, high = f"{share.low * 100:g}", f"{share.high * 100:g}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def _find_template(arguments: Sequence[str]) -> str:
    templates = [name for name in arguments if len(name) == len("-T3") and name.startswith("-T")]
    return templates[-1] if templates else "-T3"


def _describe_rate(plan: Plan) -> str:
    arguments = plan.shard_arguments[0]  # the rates are those of all groups
    low, high = find_rate(arguments, "--min-rate"), find_rate(arguments, "--max-rate")
    texts = [f"at least {low:g}" if low else "", f"at most {high:g}" if high else ""]
    return " and ".join(filter(None, texts)) or "chosen by nmap"
