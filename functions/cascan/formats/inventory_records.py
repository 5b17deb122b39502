"""The inventory → records: a host and each of its ports, with the times it was first and last seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cascan.formats.place_findings import build_place_finding
from cascan.formats.records import Record, Status
from cascan.model.inventory import InventoryQuery, PortRecord
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.queries.moved_hosts import ListedHost


def select_inventory_records(
    hosts: Iterable[ListedHost], query: InventoryQuery, *, vantage: str = DEFAULT_VANTAGE
) -> Iterator[Record]:
    """Without `was_open` in the query, only what is there now."""
    for host in hosts:
        record = host.record
        is_there = record.is_up and not host.moved_to
        if not is_there and not query.was_open:
            continue
        note = f"moved to {host.moved_to}" if host.moved_to else ""
        seen = record.latest
        yield Record(
            finding=build_place_finding(record.address, record.hostname, None, seen),
            status=Status.OPEN if is_there else Status.GONE,
            vantage=vantage,
            first_seen=record.first_seen,
            last_seen=record.last_seen,
            note=note,
        )
        for port in query.ports_of(record):
            is_open = is_there and port.is_open
            yield _build_port_record(host, port, is_open=is_open, note=note, vantage=vantage)


def _build_port_record(host: ListedHost, port: PortRecord, *, is_open: bool, note: str, vantage: str) -> Record:
    record = host.record
    return Record(
        finding=build_place_finding(record.address, record.hostname, port.key, port.latest),
        status=Status.OPEN if is_open else Status.GONE,
        vantage=vantage,
        first_seen=port.first_seen,
        last_seen=port.last_seen,
        note=note,
    )
