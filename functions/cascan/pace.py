"""How fast a scan may go as a whole: how many of its shards run side by side, and what each of them may send.

`--max-rate` and `--min-rate` of a request are rates of the scan; nmap knows only of its own packets, so each shard is
given an equal share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cascan.limits import MIN_RATE
from cascan.model.request import ScanRequest

RATES = ("--max-rate", "--min-rate")
NO_EXPIRY = -1


@dataclass(frozen=True, slots=True)
class HouseRules:
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

    def attempts_that_may_fail(self, request: ScanRequest) -> int:
        return self.backoff_limit if request.backoff_limit is None else request.backoff_limit


def shared(arguments: Sequence[str], side_by_side: int) -> tuple[tuple[str, ...], str]:
    """nmap's canonical options for each of so many shards, and a note where a rate was shared."""
    options, notes = list(arguments), []
    for place, option in enumerate(arguments):
        if option in RATES and side_by_side > 1:
            rate = float(arguments[place + 1])
            options[place + 1] = f"{max(MIN_RATE, rate / side_by_side):.6g}"
            notes.append(f"{option} {arguments[place + 1]}: {options[place + 1]}")
    note = f"rates are the scan's: each of up to {side_by_side} shards at once gets its share, {', '.join(notes)}"
    return tuple(options), note if notes else ""
