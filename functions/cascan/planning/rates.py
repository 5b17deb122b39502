"""How fast a scan may go as a whole: how many of its shards run side by side, and what each of them may send.

`--max-rate` and `--min-rate` of a request are rates of the scan; nmap knows only of its own packets. So a scan with a
rate runs as few shards side by side as can use it, and each of them is given an equal share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cascan.limits import MIN_RATE
from cascan.model.request import ScanRequest

RATES = ("--max-rate", "--min-rate")
RATE_OF_ONE_SHARD = 1_000  # packets a second that one nmap surely reaches; a higher rate is shared by several
RATE_STEPS = 1_000  # of a packet a second, rounded down: the shares never add up to more than the rate
NO_EXPIRY = -1


@dataclass(frozen=True, slots=True)
class ScanDefaults:
    """What the operator says of every scan; a request may ask for less, or for its own where it is a default."""

    shards_per_scan: int = 40  # at once
    backoff_limit: int = 3  # unless the request says so
    ttl_s: int = NO_EXPIRY  # after the end, unless the request says so

    def parallel(self, request: ScanRequest) -> int:
        """How many shards of the scan may be in flight at once."""
        return min(self.shards_per_scan, request.max_parallel_shards or self.shards_per_scan)

    def expires_after_s(self, request: ScanRequest) -> int | None:
        """How long after its end the scan is removed; None: never."""
        asked = request.ttl_seconds_after_finished
        if asked is not None:
            return asked
        return None if self.ttl_s == NO_EXPIRY else self.ttl_s

    def choose_backoff_limit(self, request: ScanRequest) -> int:
        return self.backoff_limit if request.backoff_limit is None else request.backoff_limit


def shards_at_once(arguments: Sequence[str], shards: int, allowed: int) -> int:
    """How many shards of a scan run side by side; of one with a rate as few as one nmap each can make use of.

    nmap cannot be given another rate while it runs, so that a share that no other shard takes would be lost.
    """
    rates = [float(arguments[place + 1]) for place, option in enumerate(arguments) if option in RATES]
    if not rates:
        return allowed
    return max(1, min(shards, allowed, math.ceil(max(rates) / RATE_OF_ONE_SHARD)))


def split_rates(arguments: Sequence[str], side_by_side: int) -> tuple[tuple[str, ...], str]:
    """nmap's canonical options for each of so many shards, and a note where a rate was shared."""
    options, notes = list(arguments), []
    for place, option in enumerate(arguments):
        if option in RATES and side_by_side > 1:
            share = math.floor(float(arguments[place + 1]) / side_by_side * RATE_STEPS) / RATE_STEPS
            options[place + 1] = f"{max(MIN_RATE, share):.9g}"
            notes.append(f"{option} {arguments[place + 1]}: {options[place + 1]}")
    note = f"rates are the scan's: each of up to {side_by_side} shards at once gets its share, {', '.join(notes)}"
    return tuple(options), note if notes else ""
