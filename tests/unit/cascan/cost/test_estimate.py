"""What a planned scan will cost."""

from __future__ import annotations

import pytest

from cascan.cost.estimate import CostEstimate, estimate_cost
from cascan.cost.prices import bundled_prices
from cascan.cost.ranges import exactly
from cascan.cost.stack_shape import STANDARD_SHAPE, StackShape
from cascan.model.policy_profile import PolicyProfile
from cascan.model.request import ScanRequest
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import Plan, plan

PERMISSIONS = Permissions(Scope.of(["10.0.0.0/8", "8.8.8.0/24", "example.org"]), policy=PolicyProfile.SAFE)


def build_plan(target: str, *options: str, hosts_per_shard: int | None = None) -> Plan:
    request = ScanRequest(targets=(target,), parameters=options, hosts_per_shard=hosts_per_shard)
    return plan(request, PERMISSIONS)


def estimate(target: str, *options: str, shape: StackShape = STANDARD_SHAPE) -> CostEstimate:
    return estimate_cost(build_plan(target, *options), bundled_prices(), shape)


def items(estimated: CostEstimate) -> set[str]:
    return {item.item for item in estimated.items}


def test_a_small_scan_is_paid_as_lambda_and_a_large_one_as_fargate() -> None:
    assert "Lambda that runs nmap" in items(estimate("10.0.0.0/30", "-F"))
    large = estimate("10.0.0.0/16", "-F")
    assert {"Fargate Spot, processors", "Fargate Spot, memory", "public addresses"} <= items(large)
    assert "Lambda that runs nmap" not in items(large)


def test_the_total_is_the_sum_of_the_items() -> None:
    estimated = estimate("10.0.0.0/20", "-sV")
    assert estimated.usd.low == pytest.approx(sum(item.usd.low for item in estimated.items), rel=0.01)
    assert estimated.usd.high == pytest.approx(sum(item.usd.high for item in estimated.items), rel=0.01)


@pytest.mark.parametrize("options", [(), ("-sn",), ("-sV",), ("-p-",), ("-T1", "-F"), ("-Pn", "-F"), ("-sU", "-F")])
@pytest.mark.parametrize("target", ["10.0.0.1", "10.0.0.0/20", "8.8.8.0/24", "example.org"])
def test_each_item_has_a_low_end_that_is_not_above_its_high_end(target: str, options: tuple[str, ...]) -> None:
    estimated = estimate(target, *options)
    for item in estimated.items:
        assert 0 <= item.quantity.low <= item.quantity.high, item
        assert 0 <= item.usd.low <= item.usd.high, item
    assert 0 < estimated.usd.low < estimated.usd.high
    assert 0 < estimated.elapsed_minutes.low <= estimated.elapsed_minutes.high


def test_without_spot_the_low_end_has_the_price_on_demand() -> None:
    spot, on_demand = estimate("10.0.0.0/16", "-sS"), estimate("10.0.0.0/16", "-sS", shape=StackShape(spot=False))
    assert on_demand.usd.low > spot.usd.low
    assert on_demand.usd.high == spot.usd.high  # Spot may have no room


def test_larger_workers_cost_more_and_workers_without_public_addresses_less() -> None:
    standard = estimate("10.0.0.0/16", "-sS")
    assert estimate("10.0.0.0/16", "-sS", shape=StackShape(vcpu=4, memory_gb=8)).usd.high > standard.usd.high
    assert estimate("10.0.0.0/16", "-sS", shape=StackShape(public_ip=False)).usd.high < standard.usd.high


def test_fewer_workers_make_a_scan_longer() -> None:
    many, few = estimate("10.0.0.0/16", "-sS"), estimate("10.0.0.0/16", "-sS", shape=StackShape(max_workers=2))
    assert few.elapsed_minutes.low > many.elapsed_minutes.low
    assert few.nmap_minutes == many.nmap_minutes


def test_a_stack_that_starts_no_worker_can_still_be_estimated() -> None:
    assert estimate("10.0.0.0/16", "-sS", shape=StackShape(max_workers=0)).usd.high > 0


def test_probes_to_the_internet_are_paid_as_traffic() -> None:
    assert "traffic to the Internet" in items(estimate("8.8.8.0/24"))
    assert "traffic to the Internet" in items(estimate("example.org"))  # unknown yet, so from above
    assert "traffic to the Internet" not in items(estimate("10.0.0.0/24"))


def test_a_known_share_of_live_hosts_narrows_the_estimate() -> None:
    planned = build_plan("10.0.0.0/20", "-F")
    wide = estimate_cost(planned, bundled_prices())
    narrow = estimate_cost(planned, bundled_prices(), live=exactly(0.3))
    assert wide.usd.low < narrow.usd.low < narrow.usd.high < wide.usd.high


def test_the_assumptions_have_the_template_the_rate_and_the_share_of_live_hosts() -> None:
    estimated = estimate("10.0.0.0/20", "-T4", "--max-rate", "4000")
    assumed = {assumption.name: assumption.value for assumption in estimated.assumptions}
    assert assumed["timing template"] == "-T4"
    assert assumed["rate"] == "at most 1000"
    assert assumed["live hosts"] == "10 to 100 %"
    scanned = {assumption.name: assumption.value for assumption in estimate("10.0.0.1", "-Pn").assumptions}
    assert scanned["live hosts"] == "all"


def test_a_shard_that_may_run_into_the_stack_s_time_limit_is_noted() -> None:
    slow = estimate_cost(build_plan("10.0.0.0/20", "-p-"), bundled_prices())
    assert any("ShardTimeoutSeconds" in note for note in slow.notes)
    cut = estimate_cost(build_plan("10.0.0.0/24", "-p-", hosts_per_shard=4), bundled_prices())
    assert not any("ShardTimeoutSeconds" in note for note in cut.notes)
