"""Changes → records: what appeared, what changed, and what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Protocol

from msgspec.structs import replace

from cascan.findings.by_host import find_port_key
from cascan.findings.hosts import CATEGORY as HOST
from cascan.findings.ports import OPEN_PORT
from cascan.formats.place_findings import build_place_finding
from cascan.formats.records import Record, ScanFields, Status, find_status
from cascan.gateways import FindingsByHost, Scans
from cascan.ids import derive_finding_id
from cascan.model.finding import Finding
from cascan.model.inventory import Change, ChangeKind, PortKey, Sighting
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import find_network, is_address

GONE = frozenset({ChangeKind.PORT_CLOSED, ChangeKind.HOST_GONE})
PLACES = frozenset({HOST, OPEN_PORT})
Found = dict[tuple[str, str, PortKey | None], Finding]  # by scan, address and port


class ScannedFindings(Scans, FindingsByHost, Protocol):
    """The table that changes are looked up in."""


def select_change_records(
    changes: Iterable[Change], table: ScannedFindings, *, vantage: str = DEFAULT_VANTAGE
) -> Iterator[Record]:
    """A record for each change: the finding of the port or of the host, as the scan has it that saw it there."""
    fields: dict[str, ScanFields | None] = {}
    for _, batch in groupby(changes, key=_find_network):
        changed = list(batch)
        found = _look_up(changed, table)
        for change in changed:
            scan_id = change.after.scan_id
            if scan_id not in fields:
                scan = table.get_scan(scan_id)
                fields = {scan_id: ScanFields.of(scan) if scan else None}
            yield _build_record(change, found, fields[scan_id], vantage)


def _build_record(change: Change, found: Found, scan: ScanFields | None, vantage: str) -> Record:
    seen = _find_sighting(change)
    key = (change.protocol, change.port) if change.port is not None else None
    finding = found.get((seen.scan_id, change.address, key))
    if finding is None:
        finding = build_place_finding(change.address, change.hostname, key, seen)
    is_gone = change.kind in GONE
    if is_gone:  # dated by the look that did not find it any more
        new_id = derive_finding_id(change.after.scan_id, finding.fingerprint)
        finding = replace(finding, id=new_id, parsed_at=change.after.seen_at)
    is_new = change.kind in (ChangeKind.PORT_OPENED, ChangeKind.HOST_APPEARED)
    return Record(
        finding=finding,
        scan=scan,
        status=Status.GONE if is_gone else find_status(finding),
        vantage=vantage,
        first_seen=change.after.seen_at if is_new else None,
        last_seen=seen.seen_at,
        change=change.kind,
        note=_describe(change),
    )


def _find_sighting(change: Change) -> Sighting:
    """What saw the place as it was when it was there."""
    return change.before if change.kind in GONE and change.before else change.after


def _describe(change: Change) -> str:
    if change.kind is ChangeKind.HOST_MOVED:
        return f"moved from {change.previous_address} to {change.address}"
    if change.before is None:
        return "no scan had covered it before"
    before = change.before
    texts = (before.state, before.service, before.product, before.version)
    return f"before: {' '.join(filter(None, texts))}, seen {before.seen_at:%Y-%m-%d %H:%M} UTC"


def _look_up(changes: list[Change], table: ScannedFindings) -> Found:
    """The findings of the changed places, in the scans that saw them there."""
    by_scan: dict[str, set[str]] = {}
    for change in changes:
        if is_address(change.address):
            by_scan.setdefault(_find_sighting(change).scan_id, set()).add(change.address)
    return {
        (scan_id, address, find_port_key(finding)): finding
        for scan_id, addresses in by_scan.items()
        for address, findings in table.findings_at(scan_id, addresses).items()
        for finding in findings
        if finding.category in PLACES
    }


def _find_network(change: Change) -> tuple[int, int]:
    """Changes of one network are looked up together."""
    return find_network(change.address) if is_address(change.address) else (0, 0)
