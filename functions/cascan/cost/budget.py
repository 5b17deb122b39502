"""The most that a scan may cost: a limit of its request, and one of the stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from cascan.cost.stack_shape import STANDARD_SHAPE, StackShape
from cascan.errors import RequestRefused
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.model.usage import CostBasis
from cascan.planning.plan import Plan

if TYPE_CHECKING:
    from cascan.cost.prices import PriceList

NO_LIMIT = 0.0
SMALLER = (
    "ask for fewer addresses or ports, for a higher --min-rate, or for several scans; "
    "`cascan cost` shows what the estimate consists of"
)


class CostLimit(msgspec.Struct, frozen=True, kw_only=True):
    """What the scans of a stack may cost, and how that is estimated. None of `prices`: those that come with cascan."""

    max_scan_usd: float = NO_LIMIT  # the parameter MaxScanCostUsd
    shape: StackShape = STANDARD_SHAPE
    prices: PriceList | None = None


STANDARD_LIMIT = CostLimit()


def require_budget(request: ScanRequest, plans: Sequence[Plan], limit: CostLimit = STANDARD_LIMIT) -> None:
    """Compare the high ends of the plans' estimates, added up, with the request's budget and with the stack's limit.

    Raises: RequestRefused: the scan may cost more than one of them.
    """
    limits = {"budgetUsd": request.budget_usd or NO_LIMIT, "MaxScanCostUsd": limit.max_scan_usd}
    limits = {name: usd for name, usd in limits.items() if usd != NO_LIMIT}
    if not limits:
        return
    # Imported here, because most scans have no limit
    from cascan.cost.estimate import estimate_cost  # noqa: PLC0415
    from cascan.cost.prices import bundled_prices  # noqa: PLC0415

    prices, shape = limit.prices or bundled_prices(), limit.shape.from_above()
    highest_usd = sum(estimate_cost(plan, prices, shape).usd.high for plan in plans)
    refusals = [
        Refusal(name, Rule.LIMIT, _describe_excess(name, usd, highest_usd))
        for name, usd in limits.items()
        if highest_usd > usd
    ]
    if refusals:
        raise RequestRefused(refusals)


def build_cost_basis(plan: Plan, limit: CostLimit = STANDARD_LIMIT) -> CostBasis:
    """What is stored with a scan, so that its cost can be computed when it has ended."""
    from cascan.cost.bill import TRAFFIC_ITEMS  # noqa: PLC0415 - as above
    from cascan.cost.estimate import estimate_cost  # noqa: PLC0415
    from cascan.cost.prices import bundled_prices  # noqa: PLC0415

    estimate = estimate_cost(plan, limit.prices or bundled_prices(), limit.shape)
    traffic = [item.usd for item in estimate.items if item.item in TRAFFIC_ITEMS]
    return CostBasis(
        vcpu=limit.shape.vcpu,
        memory_gb=limit.shape.memory_gb,
        storage_gb=limit.shape.storage_gb,
        estimate_usd=(estimate.usd.low, estimate.usd.high),
        traffic_usd=(sum(usd.low for usd in traffic), sum(usd.high for usd in traffic)),
    )


def _describe_excess(name: str, limit_usd: float, highest_usd: float) -> str:
    owner = "the request's" if name == "budgetUsd" else "the stack's"
    return (
        f"the scan may cost up to {highest_usd:,.2f} USD by estimate, more than the {limit_usd:,.2f} USD of "
        f"{owner} {name}: {SMALLER}"
    )
