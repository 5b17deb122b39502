"""How deep, how many, how much: the caps of a cascade, and what one child uses of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cascan.cost.bill import find_dearest_second
from cascan.cost.duration import estimate_seconds
from cascan.cost.prices import bundled_prices
from cascan.cost.ranges import exactly
from cascan.cost.stack_shape import STANDARD_SHAPE, StackShape
from cascan.limits import (
    CHILD_PARTS,
    MAX_CASCADE_COST_USD,
    MAX_CASCADE_FAN_OUT,
    MAX_CASCADE_PROBES,
    MAX_CASCADE_SCANS,
    MAX_HOPS,
)
from cascan.model.cascade import BudgetUse, Cap
from cascan.nmap.ports.scanned_ports import count_ports

MICRO = 1_000_000  # of one dollar
ALL_UP = exactly(1.0)  # the share of the addresses that are up


@dataclass(frozen=True, slots=True)
class Caps:
    depth: int = MAX_HOPS
    fan_out: int = MAX_CASCADE_FAN_OUT
    scans: int = MAX_CASCADE_SCANS
    probes: int = MAX_CASCADE_PROBES
    cost_micro_usd: int = MAX_CASCADE_COST_USD * MICRO
    shape: StackShape = STANDARD_SHAPE  # of the workers

    def max_child_addresses(self, arguments: Sequence[str]) -> int:
        """How many addresses one child may scan with these arguments of nmap; at least one.

        A child uses at most one part in CHILD_PARTS of the budget.
        """
        per_address = self.estimate_use(arguments, 1)
        by_probes = self.probes // CHILD_PARTS // max(1, per_address.probes)
        by_cost = self.cost_micro_usd // CHILD_PARTS // max(1, per_address.cost_micro_usd)
        return max(1, min(by_probes, by_cost))

    def estimate_use(self, arguments: Sequence[str], addresses: int) -> BudgetUse:
        """What a child with these arguments of nmap uses.

        An estimate from above: every address is up, the dearest worker scans, and no rate makes the
        scan faster. How many shards will share --min-rate is not known yet.
        """
        probes = addresses * count_ports(arguments)
        seconds = estimate_seconds(_drop_min_rate(arguments), addresses, ALL_UP).high
        usd = seconds * find_dearest_second(bundled_prices().prices, self.shape)
        return BudgetUse(1, probes, round(usd * MICRO))

    def find_exceeded(self, spent: BudgetUse) -> tuple[Cap, str] | None:
        """The cap of the root scan that `spent` exceeds, with a sentence.

        None: it is within all of them.
        """
        if spent.scans > self.scans:
            limit = f"{self.scans:,} {Cap.SCANS}"
            return Cap.SCANS, f"the cascade of one root scan has at most {limit}"
        if spent.probes > self.probes:
            limit = f"{self.probes:,} {Cap.PROBES}"
            return Cap.PROBES, f"the cascade of one root scan has at most {limit}"
        if spent.cost_micro_usd > self.cost_micro_usd:
            limit = format_dollars(self.cost_micro_usd)
            return Cap.COST, f"the cascade of one root scan may cost at most {limit} by estimate"
        return None


def _drop_min_rate(arguments: Sequence[str]) -> list[str]:
    remaining, is_value = list[str](), False
    for argument in arguments:
        is_option = argument == "--min-rate"
        if not (is_option or is_value):
            remaining.append(argument)
        is_value = is_option
    return remaining


def format_dollars(micro_usd: int) -> str:
    return f"{micro_usd / MICRO:.2f} USD"
