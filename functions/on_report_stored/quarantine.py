"""Which hosts of a report are recorded: those that the shard asked for and that the scope, as it stands now, allows.

The third time that the scope is asked, after the request and the launch: a script may have added targets, a report may
be forged, the operator may have narrowed the scope since. What is kept out stays in the XML, and is announced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from msgspec.structs import replace

from cascan.limits import MAX_QUARANTINED_ADDRESSES
from cascan.model.host import Host
from cascan.model.shard import Shard
from cascan.nmap.octets import Octets
from cascan.nmap.target_kinds import Name, Network6
from cascan.nmap.targets import Exclusion, parse_target
from cascan.scope import Scope

MAX_ADDRESS_CHARS = 64  # an IPv6 address has 39; a forged report may say anything
NAMELESS = "(no address)"


@dataclass(slots=True)
class Quarantine:
    """The hosts that were kept out of the table."""

    count: int = 0  # host elements
    addresses: dict[str, None] = field(default_factory=dict)  # the first of them, in report order, without repeats
    reason: str = ""  # of the first

    def take(self, host: Host, reason: str) -> None:
        self.count += 1
        self.reason = self.reason or reason
        if len(self.addresses) < MAX_QUARANTINED_ADDRESSES:
            self.addresses[host.address[:MAX_ADDRESS_CHARS] or NAMELESS] = None


class Asked(NamedTuple):
    """A stretch of addresses that nmap was given, and the name it was given for."""

    target: Octets | Network6
    start: int
    stop: int
    name: str  # empty: asked by number, or as the block around a name's address

    def holds(self, number: int) -> bool:
        low, high = self.target.bounds
        return low <= number <= high and self.start <= _place(self.target, number) < self.stop


class Gate:
    """Tells the hosts that a shard may report from those that it may not."""

    def __init__(self, shard: Shard, scope: Scope, remainders: Sequence[Shard] = ()) -> None:
        """`remainders`: the shards that were cut off from it since, and from those."""
        self._family = shard.family
        self._asked = tuple(_asked_by(shard))
        self._left = tuple(asked for rest in remainders for asked in _asked_by(replace(rest, run=shard.run)))
        self._exclusion = Exclusion.parse(shard.exclude, shard.family)
        self._scope = scope

    def is_left_to_others(self, host: Host) -> bool:
        """A remainder of the shard asks for the host again, and records it."""
        if not self._left:
            return False
        numbers = [int(ip_address(a.addr)) for a in host.addresses if a.kind != "mac" and _is_address(a.addr)]
        own, left = (any(asked.holds(n) for asked in them for n in numbers) for them in (self._asked, self._left))
        return left and not own

    def refusal_of(self, host: Host) -> str:
        """Why the host is not recorded: one sentence. Empty: it is."""
        addresses = [address.addr for address in host.addresses if address.kind != "mac"] or [""]
        return next((refusal for address in addresses if (refusal := self._refusal_of_address(address))), "")

    def _refusal_of_address(self, address: str) -> str:
        shown = address[:MAX_ADDRESS_CHARS]
        try:
            number = ip_address(address)
        except ValueError:
            return f"{shown!r} is no address that can be judged"
        if "%" in address or number.version != self._family or self._exclusion.contains(address):
            return self._scope.refusal_of_address(shown) or f"{shown} was not asked for"
        names = {asked.name for asked in self._asked if asked.holds(int(number))}
        if not names:
            return self._scope.refusal_of_address(shown) or f"{shown} was not asked for"
        refusals = [self._scope.refusal_of_address(address, name) or "" for name in sorted(names)]
        return "" if "" in refusals else refusals[0]


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ip_address(text))
    except ValueError:
        return False


def _asked_by(shard: Shard) -> Iterator[Asked]:
    """What the run asked, from the plan and from the addresses that the worker pinned its names to."""
    resolved = shard.run.resolved if shard.run else {}
    for piece in shard.slices:
        target = parse_target(piece.expression, shard.family)
        if not isinstance(target, Name):
            yield Asked(target, piece.start, piece.stop, "")
            continue
        name = target.name if target.count == 1 else ""  # a name vouches for its own address, never for a block
        for address in resolved.get(target.name, ()):
            yield Asked(target.pinned(address), piece.start, piece.stop, name)


def _place(target: Octets | Network6, number: int) -> int:
    """The address's number among the target's, counted from 0 in nmap's order; -1: it is none of them."""
    if isinstance(target, Network6):
        return number - target.first
    place = 0
    for values, shift in zip(target.octets, (24, 16, 8, 0), strict=True):
        value = number >> shift & 255
        at = bisect_left(values, value)
        if at == len(values) or values[at] != value:
            return -1
        place = place * len(values) + at
    return place
