"""What a scan has cost, from what it used.

Measured: the time of its workers, attempts that failed included; its findings; the bytes of its
reports. Not measured, and so taken as the middle of what the estimate takes: the requests of each
shard and finding. Traffic is the estimate's high end, for the share of the addresses that were up.
"""

from __future__ import annotations

from collections.abc import Iterable

from cascan.cost.bill import (
    FINDING_BYTES,
    FREE_STORAGE_GB,
    GB,
    HEARTBEAT_S,
    SECONDS_PER_HOUR,
    Work,
    list_function_items,
    list_request_items,
)
from cascan.cost.prices import PriceList, Prices, bundled_prices
from cascan.cost.ranges import NOTHING, Range, exactly
from cascan.cost.stack_shape import STANDARD_SHAPE
from cascan.model.scan import Scan
from cascan.model.usage import CostBasis, ScanCost

MILLISECONDS = 1_000
DIGITS = 8  # of a dollar: requests cost less than a millionth


def compute_cost(scan: Scan, prices: PriceList | None = None) -> ScanCost | None:
    """The cost of a scan whose shards are closed.

    None: an earlier version planned the scan, or it was refused. Without `prices`, those that come
    with cascan.
    """
    basis = scan.cost_basis
    if basis is None:
        return None
    price = (prices or bundled_prices()).prices
    usage = scan.usage
    worker_s = (usage.lambda_ms + usage.spot_ms + usage.on_demand_ms) / MILLISECONDS
    work = Work(
        seconds=exactly(worker_s),
        workers=NOTHING,
        findings=exactly(scan.findings.count),
        packets=NOTHING,
        heartbeats=exactly(worker_s / HEARTBEAT_S),
        shards=scan.shards,
        public_share=0.0,
    )
    lambda_gb_s = usage.lambda_ms / MILLISECONDS * STANDARD_SHAPE.express_memory_gb
    finding_gb = scan.findings.count * _middle(FINDING_BYTES) / GB
    parts = {
        "lambda": lambda_gb_s * price.lambda_gb_second,
        "fargateSpot": _hours(usage.spot_ms) * _price_spot_hour(basis, price),
        "fargateOnDemand": _hours(usage.on_demand_ms) * _price_hour(basis, price),
        "functions": sum(_middle(item.usd) for item in list_function_items(work, price)),
        "requests": sum(_middle(item.usd) for item in list_request_items(work, price)),
        "storageMonth": usage.report_bytes / GB * price.s3_gb_month + finding_gb * price.dynamodb_gb_month,
        "traffic": _price_traffic(scan, basis),
    }
    rounded = {name: round(usd, DIGITS) for name, usd in parts.items()}
    return ScanCost(usd=round(sum(rounded.values()), DIGITS), parts=rounded, estimate_usd=basis.estimate_usd)


def add_costs(costs: Iterable[ScanCost | None]) -> ScanCost | None:
    """The costs of several scans as one. None: one of them is not known, or there is none."""
    total: ScanCost | None = None
    for cost in costs:
        if cost is None:
            return None
        total = _add(total, cost) if total else cost
    return total


def _add(one: ScanCost, other: ScanCost) -> ScanCost:
    names = dict.fromkeys((*one.parts, *other.parts))
    parts = {name: round(one.parts.get(name, 0.0) + other.parts.get(name, 0.0), DIGITS) for name in names}
    estimate_usd = None
    if one.estimate_usd and other.estimate_usd:
        low_usd, high_usd = zip(one.estimate_usd, other.estimate_usd, strict=True)
        estimate_usd = (sum(low_usd), sum(high_usd))
    return ScanCost(usd=round(one.usd + other.usd, DIGITS), parts=parts, estimate_usd=estimate_usd)


def _hours(milliseconds: int) -> float:
    return milliseconds / MILLISECONDS / SECONDS_PER_HOUR


def _price_hour(basis: CostBasis, price: Prices) -> float:
    """Of a worker on demand, with its storage and a public address."""
    size = basis.vcpu * price.fargate_vcpu_hour + basis.memory_gb * price.fargate_gb_hour
    return size + _price_extras(basis, price)


def _price_spot_hour(basis: CostBasis, price: Prices) -> float:
    size = basis.vcpu * price.fargate_spot_vcpu_hour + basis.memory_gb * price.fargate_spot_gb_hour
    return size + _price_extras(basis, price)


def _price_extras(basis: CostBasis, price: Prices) -> float:
    storage_gb = max(0.0, basis.storage_gb - FREE_STORAGE_GB)
    return storage_gb * price.fargate_storage_gb_hour + price.public_ipv4_hour


def _price_traffic(scan: Scan, basis: CostBasis) -> float:
    low_usd, high_usd = basis.traffic_usd
    share_up = scan.hosts_up / scan.total_addresses if scan.total_addresses > 0 else 0.0
    return max(low_usd, high_usd * min(1.0, share_up)) if scan.usage.attempts else 0.0


def _middle(value: Range) -> float:
    """The geometric mean: the ends of the ranges lie orders of magnitude apart."""
    return float((value.low * value.high) ** 0.5)
