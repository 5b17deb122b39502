"""How long nmap needs, from the options."""

from __future__ import annotations

import pytest

from cascan.cost.assumptions import LIVE
from cascan.cost.duration import estimate_seconds
from cascan.cost.ranges import Range, exactly
from cascan.limits import PROBE_SECONDS, SCAN_SECONDS


def seconds(*arguments: str, addresses: int = 256, live: Range = LIVE) -> Range:
    return estimate_seconds(arguments, addresses, live)


def test_the_high_end_has_every_host_up_and_every_port_slow() -> None:
    assert seconds("-F").high == pytest.approx(256 * (100 * PROBE_SECONDS + SCAN_SECONDS))


def test_the_time_grows_in_proportion_to_the_addresses() -> None:
    one, many = seconds("-sV", addresses=1), seconds("-sV", addresses=1_000)
    assert (many.low, many.high) == pytest.approx((one.low * 1_000, one.high * 1_000))


@pytest.mark.parametrize(
    "slower",
    [
        ("-F", "-T0"),
        ("-F", "-T1"),
        ("-F", "-T2"),
        ("-F", "--scan-delay", "5s"),
        ("-F", "--max-rate", "1"),
        ("-F", "-Pn"),
    ],
)
def test_options_that_slow_nmap_raise_the_low_end(slower: tuple[str, ...]) -> None:
    assert seconds(*slower).low > seconds("-F").low
    assert seconds(*slower).high >= seconds("-F").high


@pytest.mark.parametrize("longer", [("-sV",), ("--script", "banner"), ("-sU",), ("-p", "-")])
def test_options_with_more_work_raise_the_high_end(longer: tuple[str, ...]) -> None:
    assert seconds(*longer).high > seconds().high


def test_a_rate_bounds_the_time() -> None:
    fast, slow = seconds("-p", "-", "--min-rate", "1000"), seconds("-p", "-", "--max-rate", "10")
    assert fast.high < seconds("-p", "-").high
    assert slow.low >= 256 * LIVE.low * 65_535 / 10


def test_a_host_timeout_bounds_the_time_of_each_host() -> None:
    assert seconds("-p", "-", "--host-timeout", "60s").high == pytest.approx(256 * (SCAN_SECONDS + 60))
    assert seconds("-p", "-", "--host-timeout", "1ms").low <= 256 * 0.001


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_low_end_is_never_above_the_high_end(share: float) -> None:
    for options in ((), ("-sn",), ("-T0", "--min-rate", "100"), ("--min-rate", "50000"), ("-sV", "-p", "22")):
        estimated = seconds(*options, live=exactly(share))
        assert 0 < estimated.low <= estimated.high
