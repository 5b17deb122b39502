"""What a scan covered: which addresses a shard asked, and of which ports its report knows whether they were open.

A port or an address that was not covered says nothing: it is not closed, and not gone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cascan.addresses import address_in
from cascan.limits import MAX_ASKED_INTERVALS, MAX_COVERAGE_CHARS
from cascan.model.host import Host
from cascan.model.inventory import NOT_OPEN, OPEN, PortCoverage, Unlisted
from cascan.model.report import ScanInfo
from cascan.model.shard import NmapRun, Shard
from cascan.nmap.intervals import Interval, merged, without
from cascan.nmap.octets import Octets
from cascan.nmap.port_set import PortSet, port_set
from cascan.nmap.target_kinds import Name, Network6
from cascan.nmap.targets import Exclusion, parse_target

# What a port's state says depends on how it was asked. After ACK, FIN, NULL, Xmas, Maimon and Window probes, SCTP
# COOKIE-ECHO and a scan through an FTP server, "closed" or silence does not tell whether somebody listens.
TELLING_SCANS = frozenset({"connect", "syn", "udp", "sctpinit", "ipproto"})
GUESSING_SCANS = frozenset({"window", "bounce"})  # their "open" is no more than a guess
CLOSED_STATES = frozenset({"closed", "filtered", "closed|filtered"})  # surely not open, as seen from here


class Asked(NamedTuple):
    """A stretch of addresses that nmap was given, and the name it was given for."""

    target: Octets | Network6
    start: int
    stop: int
    name: str  # empty: asked by number, or as the block around a name's address

    def holds(self, number: int) -> bool:
        low, high = self.target.bounds
        return low <= number <= high and self.start <= _place(self.target, number) < self.stop

    def intervals(self) -> tuple[Interval, ...]:
        """The addresses; of a range with many gaps, all from the lowest to the highest."""
        low, high = _at(self.target, self.start), _at(self.target, self.stop - 1)
        if isinstance(self.target, Network6) or self.target.is_contiguous:
            return ((low, high),)
        pieces = []
        for first, last in self.target.intervals(low, high):
            if max(first, low) <= min(last, high):
                pieces.append((max(first, low), min(last, high)))
            if len(pieces) > MAX_ASKED_INTERVALS:
                return ((low, high),)
        return merged(pieces)


@dataclass(frozen=True)
class AskedAddresses:
    """Every address that a shard asked: its slices, with the addresses that its names stood for, less the excludes."""

    family: int
    parts: tuple[Asked, ...]
    exclusion: Exclusion

    @classmethod
    def by(cls, shard: Shard) -> AskedAddresses:
        return cls(shard.family, tuple(_asked_by(shard)), Exclusion.parse(shard.exclude, shard.family))

    def names_for(self, address: str) -> set[str]:
        """The names that the address was asked under, among them the empty one; none: it was not asked.

        Raises: ValueError: no address.
        """
        number = address_in(address)
        if "%" in address or number.version != self.family or self.exclusion.contains(address):
            return set()
        return {part.name for part in self.parts if part.holds(int(number))}

    def intervals(self) -> tuple[Interval, ...]:
        """The addresses in order, without what is excluded as a whole; around a range with many gaps a little more."""
        asked = merged(interval for part in self.parts if part.start < part.stop for interval in part.intervals())
        return without(asked, self.exclusion.intervals)


class Ending(Protocol):
    """What a report says of its run, once it is read to its end."""

    @property
    def complete(self) -> bool: ...
    @property
    def exit(self) -> str | None: ...
    @property
    def hosts_total(self) -> int | None: ...


def accounts_for_all(run: NmapRun | None, report: Ending) -> bool:
    """nmap went through every address it was given, and the report is there to its end: who is missing was not up."""
    if run is None or run.exit_code != 0 or run.stopped or not report.complete or report.exit != "success":
        return False
    return report.hosts_total is not None and report.hosts_total >= run.addresses


@dataclass(frozen=True)
class AskedPorts:
    """The ports that a run asked of every host, by protocol, where an answer tells open from not open."""

    telling: Mapping[str, PortSet]
    guessing: frozenset[str]  # protocols whose open ports are a guess

    @classmethod
    def in_report(cls, scaninfo: Iterable[ScanInfo]) -> AskedPorts:
        """Source: nmap.dtd, element scaninfo: its services are without what --exclude-ports takes out."""
        infos = [(info.type or "", info.protocol or "", info.services or "") for info in scaninfo]
        guessing = frozenset(protocol for kind, protocol, _ in infos if kind in GUESSING_SCANS)
        telling = {protocol: port_set(ports) for kind, protocol, ports in infos if kind in TELLING_SCANS}
        return cls({protocol: ports for protocol, ports in telling.items() if ports}, guessing)

    def covered(self, host: Host, seen_at: datetime, scan_id: str) -> tuple[PortCoverage, ...]:
        """The ports of which the host's element tells whether they are open. None of a host that timed out."""
        if host.timed_out:
            return ()
        return tuple(
            PortCoverage(
                protocol=protocol,
                ports=_bounded(str(ports)),
                seen_at=seen_at,
                scan_id=scan_id,
                state=_state_of_the_rest(host, protocol),
                common=ports is asked,
            )
            for protocol, asked in self.telling.items()
            if (ports := _told(host, protocol, asked))
        )


def unlisted(host: Host) -> Iterator[Unlisted]:
    """The ports that the host's element counts by state; `ports` is empty where it does not say which (before 7.9)."""
    for extra in host.extraports:
        if not extra.reasons:
            yield Unlisted("", "", extra.state)
        for reason in extra.reasons:
            yield Unlisted(reason.protocol, reason.ports, extra.state)


def _told(host: Host, protocol: str, asked: PortSet) -> PortSet:
    """The ports asked, less those of which nobody can say whether they are open; `asked` itself where there are none.

    A host without open ports may have no list at all, as with --open: then none of them was.
    """
    extras = [extra for extra in unlisted(host) if extra.protocol in ("", protocol)]
    unclear = [extra for extra in extras if extra.state not in CLOSED_STATES]
    listed = [port for port in host.ports if port.protocol == protocol]
    silent = PortSet((p.number, p.number) for p in listed if p.state != OPEN and p.state not in CLOSED_STATES)
    if not unclear and not silent:
        return asked
    if all(extra.ports for extra in unclear):
        return _without(asked - silent, unclear)
    told = PortSet((p.number, p.number) for p in listed) - silent
    for extra in extras:
        if extra.state in CLOSED_STATES:
            told |= port_set(extra.ports)
    return told


def _without(ports: PortSet, extras: Iterable[Unlisted]) -> PortSet:
    for extra in extras:
        ports -= port_set(extra.ports)
    return ports


def _state_of_the_rest(host: Host, protocol: str) -> str:
    """The state of every port that was covered and is not open, if they share one."""
    states = {port.state for port in host.ports if port.protocol == protocol}
    states |= {extra.state for extra in unlisted(host) if extra.protocol in ("", protocol)}
    states &= CLOSED_STATES
    return states.pop() if len(states) == 1 else NOT_OPEN


def _bounded(ports: str) -> str:
    """A long list without its end: what is left out counts as not covered."""
    return ports if len(ports) <= MAX_COVERAGE_CHARS else ports[:MAX_COVERAGE_CHARS].rpartition(",")[0]


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


def _at(target: Octets | Network6, place: int) -> int:
    """The address at a place of the target, as a number."""
    if isinstance(target, Network6):
        return target.first + place
    number = 0
    for values, shift in zip(reversed(target.octets), (0, 8, 16, 24), strict=True):
        place, at = divmod(place, len(values))
        number |= values[at] << shift
    return number
