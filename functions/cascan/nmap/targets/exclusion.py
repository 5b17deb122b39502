"""The excludes of a request: exact, whatever the order and overlap of its entries.

nmap's own --exclude keeps a part of a wide network when a narrower one inside it comes first, and it reads octal.
So cascan removes excluded addresses before nmap sees them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from cascan.errors import RequestRefused
from cascan.limits import MAX_REASONS, MAX_TARGETS
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval, merge_intervals
from cascan.nmap.targets.kinds import IPV4, Name
from cascan.nmap.targets.octets import Octets
from cascan.nmap.targets.syntax import parse_target


class Exclusion(msgspec.Struct, frozen=True):
    """Excluded addresses: disjoint intervals in order, and octet ranges with gaps."""

    family: int
    intervals: tuple[Interval, ...] = ()
    patterns: tuple[Octets, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str], family: int = 4) -> Exclusion:
        """Entries are addresses, networks and octet ranges, or comma lists of them, as in --exclude.

        A comma always separates entries here: `10.0.0.1,3` is two, and the second is refused.

        Raises: RequestRefused: with a reason for each entry that is a name, of the other family, or not a target.
        """
        intervals: list[Interval] = []
        patterns: list[Octets] = []
        refusals: list[Refusal] = []
        listed = [entry for entry in ",".join(entries).split(",") if entry]
        if len(listed) > MAX_TARGETS:
            reason = f"exclude: {len(listed)} entries are more than {MAX_TARGETS}; write ranges"
            raise RequestRefused([Refusal("exclude", Rule.LIMIT, reason)])
        for entry in listed:
            if len(refusals) > MAX_REASONS:
                break
            try:
                target = parse_target(entry, family)
            except RequestRefused as refused:
                refusals += (replace(refusal, reason=f"exclude: {refusal.reason}") for refusal in refused.refusals)
                continue
            if isinstance(target, Name):
                reason = f"exclude {entry!r}: a name may move to another address; exclude the address itself"
                refusals.append(Refusal(entry, Rule.TARGET_SYNTAX, reason))
            elif isinstance(target, Octets) and not target.is_contiguous:
                patterns.append(target)
            else:
                intervals.append(target.bounds)
        if refusals:
            raise RequestRefused(refusals)
        return cls(family, merge_intervals(intervals), tuple(patterns))

    def contains(self, address: str) -> bool:
        """Whether the address is excluded. Raises: ValueError: not an address of the family."""
        value = parse_address(address if self.family == IPV4 else address.partition("%")[0])
        if value.version != self.family:
            raise ValueError(f"{address} is not of the family")
        number = int(value)
        index = bisect_right(self.intervals, number, key=lambda interval: interval[0]) - 1
        if index >= 0 and number <= self.intervals[index][1]:
            return True
        return any(pattern.contains(number) for pattern in self.patterns)
