"""The excludes of a request. They are exact, in any order and with any overlap of their entries.

nmap's own --exclude scans a part of a wide network if a narrower one inside it comes first, and it
reads octal numbers. So cascan removes excluded addresses before nmap gets the targets.
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
from cascan.nmap.targets.kinds import IPV4, Name, Network6
from cascan.nmap.targets.octets import Octets
from cascan.nmap.targets.syntax import parse_target


class Exclusion(msgspec.Struct, frozen=True):
    """Excluded addresses: disjoint intervals in order, and octet ranges with gaps."""

    family: int
    intervals: tuple[Interval, ...] = ()
    patterns: tuple[Octets, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str], family: int = 4) -> Exclusion:
        """The excludes of entries, as in --exclude.

        An entry is an address, a network, an octet range, or a comma list of them. A comma always
        separates entries: `10.0.0.1,3` is two entries, and the second is refused.

        Raises: RequestRefused: with a reason for each entry that is a name, of the other family, or
        not a target.
        """
        listed = [entry for entry in ",".join(entries).split(",") if entry]
        if len(listed) > MAX_TARGETS:
            reason = f"exclude: {len(listed)} entries are more than {MAX_TARGETS}; write ranges"
            raise RequestRefused([Refusal("exclude", Rule.LIMIT, reason)])
        intervals: list[Interval] = []
        patterns: list[Octets] = []
        for target in _parse_entries(listed, family):
            if isinstance(target, Octets) and not target.is_contiguous:
                patterns.append(target)
            else:
                intervals.append(target.bounds)
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


def _parse_entries(entries: Iterable[str], family: int) -> list[Octets | Network6]:
    """Raises: RequestRefused: with the reason for each entry, up to about MAX_REASONS."""
    targets: list[Octets | Network6] = []
    refusals: list[Refusal] = []
    for entry in entries:
        if len(refusals) > MAX_REASONS:
            break
        try:
            targets.append(_parse_entry(entry, family))
        except RequestRefused as refused:
            refusals += refused.refusals
    if refusals:
        raise RequestRefused(refusals)
    return targets


def _parse_entry(entry: str, family: int) -> Octets | Network6:
    """Raises: RequestRefused: the entry is a name, or not a target of the family."""
    try:
        target = parse_target(entry, family)
    except RequestRefused as refused:
        refusals = [replace(refusal, reason=f"exclude: {refusal.reason}") for refusal in refused.refusals]
        raise RequestRefused(refusals) from refused
    if isinstance(target, Name):
        advice = "a name may move to another address; exclude the address itself"
        raise RequestRefused([Refusal(entry, Rule.TARGET_SYNTAX, f"exclude {entry!r}: {advice}")])
    return target
