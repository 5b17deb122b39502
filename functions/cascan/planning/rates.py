"""How fast a scan may go as a whole: how many of its shards run at once, and the rate of each.

`--max-rate` and `--min-rate` of a request are rates of the whole scan, but each nmap counts only
its own packets. So a scan with a rate runs as few shards at once as can use it, and each of them
gets an equal share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from cascan.limits import MIN_RATE
from cascan.model.request import ScanRequest

RATES = ("--max-rate", "--min-rate")
RATE_OF_ONE_SHARD = 1_000  # packets a second that one nmap surely reaches
RATE_STEPS = 1_000  # shares are rounded down to a thousandth: their sum never exceeds the rate
NO_EXPIRY = -1


class ScanDefaults(msgspec.Struct, frozen=True):
    """The operator's limits and defaults for every scan.

    A request may lower a limit and replace a default.
    """

    shards_per_scan: int = 40  # limit of shards at once
    backoff_limit: int = 3  # default
    ttl_s: int = NO_EXPIRY  # default, after the scan's end

    def choose_parallel(self, request: ScanRequest) -> int:
        """How many shards of the scan may be in flight at once."""
        return min(self.shards_per_scan, request.max_parallel_shards or self.shards_per_scan)

    def choose_expiry_s(self, request: ScanRequest) -> int | None:
        """How long after its end the scan is removed, in seconds. None: never."""
        ttl_s = request.ttl_seconds_after_finished
        if ttl_s is not None:
            return ttl_s
        return None if self.ttl_s == NO_EXPIRY else self.ttl_s

    def choose_backoff_limit(self, request: ScanRequest) -> int:
        """How many attempts of a shard may fail."""
        return self.backoff_limit if request.backoff_limit is None else request.backoff_limit


def choose_shards_at_once(arguments: Sequence[str], shards: int, allowed: int) -> int:
    """How many shards of a scan run at once: `allowed`, or with a rate only as many as can use it.

    nmap cannot change its rate while it runs. So a running shard could not take over the share of
    one that ended.
    """
    rates = [float(rate) for rate in _find_rates(arguments).values()]
    if not rates:
        return allowed
    return max(1, min(shards, allowed, math.ceil(max(rates) / RATE_OF_ONE_SHARD)))


def split_rates(arguments: Sequence[str], shards_at_once: int) -> tuple[str, ...]:
    """The canonical options of each shard: the scan's options with a share of its rates."""
    options = list(arguments)
    for index, share in _find_shares(arguments, shards_at_once).items():
        options[index] = share
    return tuple(options)


def describe_shares(arguments: Sequence[str], shards_at_once: int) -> str:
    """A note with the share of each rate. Empty: no rate is shared."""
    shares = _find_shares(arguments, shards_at_once)
    if not shares:
        return ""
    listed = []
    for index, share in shares.items():
        option, rate = arguments[index - 1], arguments[index]
        listed.append(f"{option} {rate}: {share}")
    each = f"each of up to {shards_at_once} shards at once gets its share"
    return f"rates are the scan's: {each}, {', '.join(listed)}"


def _find_rates(arguments: Sequence[str]) -> Mapping[int, str]:
    """The values of rate options, by their index."""
    value_indices = [index for index, option in enumerate(arguments, start=1) if option in RATES]
    return {index: arguments[index] for index in value_indices}


def _find_shares(arguments: Sequence[str], shards_at_once: int) -> Mapping[int, str]:
    """The share of each rate, by the index of its value.

    Empty: there is no rate, or one shard gets all of it.
    """
    if shards_at_once <= 1:
        return {}
    shares = {}
    for index, rate in _find_rates(arguments).items():
        share = math.floor(float(rate) / shards_at_once * RATE_STEPS) / RATE_STEPS
        shares[index] = f"{max(MIN_RATE, share):.9g}"
    return shares
