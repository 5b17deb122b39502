"""How deep, how many, how much: the caps of a cascade, and what a child counts for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cascan.limits import (
    CHILD_PARTS,
    MAX_CASCADE_COST_USD,
    MAX_CASCADE_FAN_OUT,
    MAX_CASCADE_PROBES,
    MAX_CASCADE_SCANS,
    MAX_HOPS,
    PROBE_SECONDS,
    SCAN_SECONDS,
    WORKER_USD_PER_SECOND,
)
from cascan.model.cascade import BudgetUse, Cap
from cascan.nmap.ports.scanned_ports import count_ports
from cascan.planning.lane import PROBING, PROBING_COST

MICRO = 1_000_000  # of one dollar


@dataclass(frozen=True, slots=True)
class Caps:
    depth: int = MAX_HOPS
    fan_out: int = MAX_CASCADE_FAN_OUT
    scans: int = MAX_CASCADE_SCANS
    probes: int = MAX_CASCADE_PROBES
    cost_micro_usd: int = MAX_CASCADE_COST_USD * MICRO

    def max_child_addresses(self, arguments: Sequence[str]) -> int:
        """How many one child may ask with these options of nmap, for a part of the budget; at least one."""
        each = estimate_budget_use(arguments, 1)
        by_probes = self.probes // CHILD_PARTS // max(1, each.probes)
        by_cost = self.cost_micro_usd // CHILD_PARTS // max(1, each.cost_micro_usd)
        return max(1, min(by_probes, by_cost))

    def reached(self, spent: BudgetUse) -> tuple[Cap, str] | None:
        """The budget of the root scan that `spent` goes beyond, with a sentence; None: it stays within all."""
        for cap, used, most in (
            (Cap.SCANS, spent.scans, self.scans),
            (Cap.PROBES, spent.probes, self.probes),
        ):
            if used > most:
                return cap, f"the cascade of one root scan has at most {most:,} {cap}"
        if spent.cost_micro_usd > self.cost_micro_usd:
            return (
                Cap.COST,
                f"the cascade of one root scan may cost at most {format_dollars(self.cost_micro_usd)} by estimate",
            )
        return None


def estimate_budget_use(arguments: Sequence[str], addresses: int) -> BudgetUse:
    """What a child with these options of nmap counts for. An estimate, from above: a worker asks many ports at once."""
    each = PROBING_COST if frozenset(arguments) & PROBING else 1
    probes = addresses * count_ports(arguments)
    seconds = probes * each * PROBE_SECONDS + addresses * SCAN_SECONDS
    return BudgetUse(1, probes, round(seconds * WORKER_USD_PER_SECOND * MICRO))


def format_dollars(micro_usd: int) -> str:
    return f"{micro_usd / MICRO:.2f} USD"
