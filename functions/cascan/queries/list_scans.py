"""The scans that match, the newest first, page by page."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import msgspec

from cascan.clock import to_wire
from cascan.errors import RequestRefused
from cascan.gateways import ScanPlace, Scans
from cascan.limits import MAX_SCANS_FILTERED, MAX_TARGETS_COMPARED
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.nmap.targets.kinds import Name, Network6
from cascan.nmap.targets.own_ports import split_ports
from cascan.nmap.targets.target_set import parse_target

Bounds = tuple[int, int, int]  # family, lowest and highest address


class ScanFilter(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What to look for in scans. A scan has to meet every condition that is set."""

    states: frozenset[ScanState] = frozenset()
    outcomes: frozenset[Outcome] = frozenset()
    names: frozenset[str] = frozenset()  # of series
    labels: tuple[tuple[str, str], ...] = ()  # it has all of these
    targets: tuple[str, ...] = ()  # one of its targets shares an address with one of these, or is the same name
    vantage: str = ""
    since: datetime | None = None  # requested at or after this time

    @cached_property
    def _sought(self) -> list[Bounds | str]:
        return list(map(find_bounds, self.targets))

    def fits(self, scan: Scan) -> bool:
        labels = scan.labels
        return (
            (not self.states or scan.state in self.states)
            and (not self.outcomes or scan.outcome in self.outcomes)
            and (not self.names or scan.name in self.names)
            and all(labels.get(key) == value for key, value in self.labels)
            and self.vantage in ("", scan.vantage, *(scan.request.vantage if scan.request else ()))
            and not self.is_too_old(scan)
            and (not self.targets or self._has_target(scan))
        )

    def is_too_old(self, scan: Scan) -> bool:
        return self.since is not None and scan.requested_at < self.since

    def _has_target(self, scan: Scan) -> bool:
        targets = scan.request.targets[:MAX_TARGETS_COMPARED] if scan.request else ()
        return any(_overlap(find_bounds(target), sought) for target in targets for sought in self._sought)


class ScanListing(NamedTuple):
    scans: list[Scan]
    next: ScanPlace | None  # where the next page begins; None: this is the last one
    is_unfinished: bool = False  # MAX_SCANS_FILTERED were read, and there are others


def list_matching_scans(table: Scans, sought: ScanFilter, limit: int, *, after: ScanPlace | None = None) -> ScanListing:
    """At most `limit` scans behind the place `after`."""
    matching: list[Scan] = []
    read, last = 0, after
    for scan in table.list_scans(MAX_SCANS_FILTERED, after=after):
        if sought.is_too_old(scan):
            return ScanListing(matching, None)
        read += 1
        if sought.fits(scan):
            if len(matching) == limit:
                return ScanListing(matching, find_place(matching[-1]))
            matching.append(scan)
        last = find_place(scan)
    is_unfinished = read == MAX_SCANS_FILTERED
    return ScanListing(matching, last if is_unfinished else None, is_unfinished)


def find_place(scan: Scan) -> ScanPlace:
    return scan.requested_at, scan.scan_id


def format_cursor(place: ScanPlace) -> str:
    at, scan_id = place
    return f"{to_wire(at)}#{scan_id}"


def parse_cursor(text: str) -> ScanPlace:
    """Raises: ValueError: it is not a cursor of a list of scans."""
    at, hash_sign, scan_id = text.partition("#")
    moment = datetime.fromisoformat(at)
    if not hash_sign or moment.tzinfo is None:
        raise ValueError(text)
    return moment, scan_id


def find_bounds(target: str) -> Bounds | str:
    """The range of its addresses; or, of a name and what cannot be read, the text in lower case."""
    text, _ = split_ports(target)
    try:
        parsed = parse_target(text, 6 if ":" in text else 4)
    except RequestRefused:
        return target.lower()
    if isinstance(parsed, Name):
        return text.lower()
    if isinstance(parsed, Network6):
        return (6, *parsed.bounds)
    return (4, *parsed.bounds)


def _overlap(one: Bounds | str, other: Bounds | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]
