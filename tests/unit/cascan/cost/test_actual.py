"""What a scan has cost: what was measured, at the price of what it ran on."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cascan.cost.actual import compute_cost
from cascan.cost.prices import bundled_prices
from cascan.model.scan import Counts, Scan
from cascan.model.usage import CostBasis, Usage
from tests.support.builders import a_scan

BASIS = CostBasis(
    vcpu=0.5,
    memory_gb=1.0,
    storage_gb=21.0,
    estimate_usd=(0.01, 2.0),
    traffic_usd=(0.0, 0.4),
)
HOUR_MS = 3_600_000
PRICES = bundled_prices().prices


def ended(**fields: object) -> Scan:
    return a_scan(shards_open=0, addresses=10, cost_basis=BASIS, **fields)


def parts(scan: Scan) -> dict[str, float]:
    cost = compute_cost(scan)
    assert cost is not None
    assert cost.usd == pytest.approx(sum(cost.parts.values()))
    return cost.parts


def test_an_hour_of_a_worker_costs_its_processors_memory_storage_and_address() -> None:
    found = parts(ended(usage=Usage(spot_ms=HOUR_MS, on_demand_ms=2 * HOUR_MS, attempts=2)))
    extras = PRICES.fargate_storage_gb_hour + PRICES.public_ipv4_hour
    spot = 0.5 * PRICES.fargate_spot_vcpu_hour + PRICES.fargate_spot_gb_hour + extras
    on_demand = 0.5 * PRICES.fargate_vcpu_hour + PRICES.fargate_gb_hour + extras

    assert found["fargateSpot"] == pytest.approx(spot, abs=1e-8)
    assert found["fargateOnDemand"] == pytest.approx(2 * on_demand, abs=1e-8)
    assert found["lambda"] == 0


def test_an_express_shard_costs_the_time_of_its_function_with_a_gigabyte() -> None:
    assert parts(ended(usage=Usage(lambda_ms=50_000_000)))["lambda"] == pytest.approx(
        50_000 * PRICES.lambda_gb_second, abs=1e-8
    )


def test_a_failed_attempt_costs_as_much_as_one_that_succeeded() -> None:
    once, twice = (compute_cost(ended(usage=Usage(spot_ms=ms))) for ms in (HOUR_MS, 2 * HOUR_MS))

    assert once
    assert twice
    assert twice.usd > once.usd
    assert twice.parts["fargateSpot"] == pytest.approx(2 * once.parts["fargateSpot"], abs=1e-7)


def test_findings_and_reports_are_stored_for_a_month() -> None:
    empty = parts(ended())
    full = parts(ended(findings=Counts(count=100_000), usage=Usage(report_bytes=10**9)))

    assert empty["storageMonth"] == 0
    assert full["storageMonth"] > PRICES.s3_gb_month
    assert full["requests"] > empty["requests"]
    assert full["functions"] > empty["functions"]


@pytest.mark.parametrize(("hosts_up", "usd"), [(0, 0.0), (5, 0.2), (10, 0.4), (99, 0.4)])
def test_traffic_follows_the_share_of_hosts_that_were_up(hosts_up: int, usd: float) -> None:
    assert parts(ended(hosts_up=hosts_up, usage=Usage(attempts=1)))["traffic"] == pytest.approx(usd)


def test_a_scan_of_which_nothing_ran_has_no_traffic() -> None:
    assert parts(replace(ended(), cost_basis=replace(BASIS, traffic_usd=(0.1, 0.4))))["traffic"] == 0


def test_the_estimate_stands_beside_it() -> None:
    cost = compute_cost(ended())

    assert cost
    assert cost.estimate_usd == BASIS.estimate_usd


def test_nothing_is_known_of_a_scan_that_an_earlier_version_planned() -> None:
    assert compute_cost(a_scan()) is None
