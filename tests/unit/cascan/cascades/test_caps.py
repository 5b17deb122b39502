"""What a child of a cascade uses of its root scan's budget: an estimate from above, the one of `cascan cost`."""

from __future__ import annotations

import pytest

from cascan.cascades.caps import MICRO, estimate_budget_use
from cascan.limits import PROBE_SECONDS, SCAN_SECONDS, WORKER_USD_PER_SECOND


def test_a_child_is_estimated_with_every_host_up_and_every_port_slow() -> None:
    used = estimate_budget_use(["-F"], 10)
    seconds = 10 * (100 * PROBE_SECONDS + SCAN_SECONDS)
    assert (used.scans, used.probes) == (1, 1_000)
    assert used.cost_micro_usd == round(seconds * WORKER_USD_PER_SECOND * MICRO)


@pytest.mark.parametrize("slow", [("-T1",), ("--scan-delay", "5s"), ("--max-rate", "1"), ("-sU",), ("-sV",)])
def test_options_that_slow_nmap_use_more_of_the_budget(slow: tuple[str, ...]) -> None:
    assert estimate_budget_use(["-F", *slow], 10).cost_micro_usd > estimate_budget_use(["-F"], 10).cost_micro_usd


def test_a_rate_that_shards_will_share_makes_no_child_cheaper() -> None:
    assert estimate_budget_use(["-F", "--min-rate", "20000"], 10) == estimate_budget_use(["-F"], 10)
    slow = estimate_budget_use(["-F", "--min-rate", "20000", "-T1"], 10)
    assert slow == estimate_budget_use(["-F", "-T1"], 10)
