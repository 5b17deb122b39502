"""What a child of a cascade uses of its root scan's budget: an estimate from above, the one of `cascan cost`."""

from __future__ import annotations

import pytest

from cascan.cascades.caps import MICRO, Caps
from cascan.cost.prices import bundled_prices
from cascan.cost.stack_shape import StackShape
from cascan.limits import PROBE_SECONDS, SCAN_SECONDS

LAMBDA_GB_SECOND_USD = bundled_prices().prices.lambda_gb_second  # the express function has 1 GB


def test_a_child_is_estimated_with_every_host_up_and_every_port_slow() -> None:
    used = Caps().estimate_use(["-F"], 10)
    seconds = 10 * (100 * PROBE_SECONDS + SCAN_SECONDS)
    assert (used.scans, used.probes) == (1, 1_000)
    assert used.cost_micro_usd == round(seconds * LAMBDA_GB_SECOND_USD * MICRO)


@pytest.mark.parametrize("slow", [("-T1",), ("--scan-delay", "5s"), ("--max-rate", "1"), ("-sU",), ("-sV",)])
def test_options_that_slow_nmap_use_more_of_the_budget(slow: tuple[str, ...]) -> None:
    assert Caps().estimate_use(["-F", *slow], 10).cost_micro_usd > Caps().estimate_use(["-F"], 10).cost_micro_usd


def test_a_rate_that_shards_will_share_makes_no_child_cheaper() -> None:
    assert Caps().estimate_use(["-F", "--min-rate", "20000"], 10) == Caps().estimate_use(["-F"], 10)
    slow = Caps().estimate_use(["-F", "--min-rate", "20000", "-T1"], 10)
    assert slow == Caps().estimate_use(["-F", "-T1"], 10)


def test_a_second_costs_what_the_dearest_worker_of_the_stack_costs() -> None:
    small = Caps(shape=StackShape(express_memory_gb=0.5)).estimate_use(["-F"], 10)
    standard = Caps().estimate_use(["-F"], 10)
    large = Caps(shape=StackShape(vcpu=4, memory_gb=30)).estimate_use(["-F"], 10)
    assert small.cost_micro_usd < standard.cost_micro_usd < large.cost_micro_usd
    hour = 4 * 0.04048 + 30 * 0.004445 + 0.000111 + 0.005
    assert large.cost_micro_usd == round(10 * (100 * PROBE_SECONDS + SCAN_SECONDS) * hour / 3_600 * MICRO)
