"""What a scan found that the scan before it in its series did not, and the other way round.

Findings of two scans are compared by their fingerprints. Where a fingerprint is missing in the other
scan, the history says whether that scan covered the place. What it did not cover is neither new nor
resolved: it may have been there all along, or still be there.

Suppressed and accepted findings are left out of both.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from itertools import islice
from typing import Protocol

import msgspec

from cascan.gateways import Findings, History, Scans
from cascan.inventory.looks import find_state
from cascan.limits import MAX_SCANS_COMPARED
from cascan.model.finding import Finding
from cascan.model.history import Look
from cascan.model.inventory import PortKey
from cascan.model.scan import Scan, ScanState
from cascan.nmap.addresses import parse_address
from cascan.queries.finding_query import list_addresses
from cascan.queries.history import NETWORK_BITS
from cascan.queries.read_findings import read_findings
from cascan.rules.severity import ACCEPTED, SUPPRESSED, to_count_key

FINDINGS_AT_ONCE = 500  # whose places are looked up together
CLOCKS_DIFFER = timedelta(hours=1)  # at most: of the machine that planned a scan, and of those that ran it


class ComparedScans(Scans, Findings, History, Protocol):
    """The gateway that a comparison needs."""


class Standing(StrEnum):
    """How a finding of one scan stands to another scan."""

    SHARED = "shared"  # the other scan has it
    MISSING = "missing"  # the other scan covered the place, and does not have it
    NOT_COVERED = "not covered"  # the other scan does not have it, and did not cover the place


class SeriesChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How many findings of a scan differ from those of the scan before it."""

    earlier: str  # id of the scan before it
    new: int = 0
    first_covered: int = 0  # at places that the scan before it did not cover
    resolved: int = 0
    not_covered: int = 0  # findings of the scan before it, at places that this one did not cover


def find_earlier_scan(table: Scans, scan: Scan) -> Scan | None:
    """The newest scan of the same series and vantage that was requested before `scan` and is Done."""
    place = (scan.name, scan.vantage, bool(scan.member_of))
    for other in table.list_scans(MAX_SCANS_COMPARED):
        is_earlier = (other.requested_at, other.scan_id) < (scan.requested_at, scan.scan_id)
        same_place = (other.name, other.vantage, bool(other.member_of)) == place
        if is_earlier and same_place and other.state is ScanState.DONE:
            return other
    return None


def compare_with_earlier(scan: Scan, table: ComparedScans) -> SeriesChanges | None:
    """None: the series has no earlier scan that is Done. Reads the findings of both scans twice."""
    earlier = find_earlier_scan(table, scan)
    if earlier is None:
        return None
    added = _count_standings(read_findings(scan, table), OtherScan(earlier, table))
    removed = _count_standings(read_findings(earlier, table), OtherScan(scan, table))
    return SeriesChanges(
        earlier=earlier.scan_id,
        new=added[Standing.MISSING],
        first_covered=added[Standing.NOT_COVERED],
        resolved=removed[Standing.MISSING],
        not_covered=removed[Standing.NOT_COVERED],
    )


def _count_standings(findings: Iterable[Finding], other: OtherScan) -> dict[Standing, int]:
    counts = dict.fromkeys(Standing, 0)
    for _, standing in other.compare(filter(is_counted, findings)):
        counts[standing] += 1
    return counts


def is_counted(finding: Finding) -> bool:
    """Whether it can be new or resolved: it is neither suppressed nor accepted."""
    return to_count_key(finding) not in (SUPPRESSED, ACCEPTED)


class OtherScan:
    """A scan that findings of another one are compared with. Takes 8 bytes for each of its findings."""

    def __init__(self, scan: Scan, table: ComparedScans) -> None:
        self.scan = scan
        self._table = table
        hashes = array("q", (hash(finding.fingerprint) for finding in read_findings(scan, table)))
        self._hashes = array("q", sorted(hashes))
        members = [member for member in map(table.get_scan, scan.members) if member]
        self._scan_ids = frozenset({scan.scan_id, *scan.members})
        self._vantages = sorted({vantage for one in (scan, *members) for vantage in one.vantages_of_looks if vantage})
        ended = [one.finished_at for one in (scan, *members) if one.finished_at]
        self._since = scan.requested_at - CLOCKS_DIFFER
        self._until = (max(ended) if ended else scan.requested_at) + CLOCKS_DIFFER

    def compare(self, findings: Iterable[Finding]) -> Iterator[tuple[Finding, Standing]]:
        """The findings in their order, each with how it stands to this scan."""
        stream = iter(findings)
        while batch := list(islice(stream, FINDINGS_AT_ONCE)):
            absent = [finding for finding in batch if not self._has(finding)]
            places = {finding.id: _find_place(finding) for finding in absent}
            looks = self._read_looks({address for address, _ in places.values() if address})
            for finding in batch:
                yield finding, self._judge(places.get(finding.id), looks)

    def _has(self, finding: Finding) -> bool:
        sought = hash(finding.fingerprint)
        index = bisect_left(self._hashes, sought)
        return index < len(self._hashes) and self._hashes[index] == sought

    @staticmethod
    def _judge(place: tuple[str, PortKey | None] | None, looks: dict[str, list[Look]]) -> Standing:
        """`place`: of a finding that this scan does not have; None: it has it."""
        if place is None:
            return Standing.SHARED
        address, key = place
        if not address:  # of another scanner, or a host without an address: no look can tell
            return Standing.MISSING
        is_covered = any(key is None or find_state(look, key) for look in looks.get(address, ()))
        return Standing.MISSING if is_covered else Standing.NOT_COVERED

    def _read_looks(self, addresses: set[str]) -> dict[str, list[Look]]:
        """What this scan saw of the addresses."""
        networks: dict[tuple[int, int], list[str]] = {}
        for text in sorted(addresses):
            address = parse_address(text)
            networks.setdefault((address.version, int(address) >> NETWORK_BITS), []).append(text)
        looks: dict[str, list[Look]] = {}
        for vantage in self._vantages:
            for members in networks.values():
                for look in self._table.looks_until(members, self._until, since=self._since, vantage=vantage):
                    if look.scan_id in self._scan_ids:
                        looks.setdefault(look.address, []).append(look)
        return looks


def _find_place(finding: Finding) -> tuple[str, PortKey | None]:
    """The address as the history writes it, empty if there is none; and the port, None for the host itself."""
    number, protocol = finding.attributes.get("port"), finding.attributes.get("protocol")
    key = (protocol, number) if isinstance(number, int) and isinstance(protocol, str) else None
    for text in list_addresses(finding):
        with suppress(ValueError):
            return str(parse_address(text)), key
    return "", key
