"""The rows of the tables, as they are read from a stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cascan.formats.facts import find_place, read_text
from cascan.formats.redact_record import redact_record
from cascan.limits import MAX_SCANS_FILTERED
from cascan.model.exposure import ExposureState
from cascan.model.inventory import InventoryQuery
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan_cli.output.scan import duration_s

if TYPE_CHECKING:
    from datetime import datetime

    from cascan.aws.tables.scan_table import DynamoScanTable
    from cascan.formats.records import Record
    from cascan.model.exposure import Exposure
    from cascan.model.inventory import HostRecord
    from cascan.model.scan import Scan

TEXTS = {  # column → attribute of a finding
    "state": "state",
    "service": "service",
    "product": "serviceProduct",
    "version": "serviceVersion",
    "tunnel": "tunnel",
    "application_protocol": "application_protocol",
}
Row = dict[str, Any]


def read_finding_rows(records: Iterable[Record], *, with_secrets: bool) -> Iterator[Row]:
    return map(_to_finding_row, records if with_secrets else map(redact_record, records))


def _to_finding_row(record: Record) -> Row:
    finding, place, scan = record.finding, find_place(record.finding), record.scan
    return {name: read_text(finding, attribute) or None for name, attribute in TEXTS.items()} | {
        "severity": finding.severity,
        "category": finding.category,
        "name": finding.name,
        "address": place.address or None,
        "hostname": place.hostname or None,
        "protocol": place.protocol or None,
        "port": place.port,
        "location": finding.location,
        "description": finding.description,
        "attributes": finding.attributes,
        "vantage": record.vantage,
        "status": record.status,
        "change": record.change or None,
        "covered": record.is_covered,
        "first_seen": _to_naive(record.first_seen),
        "last_seen": _to_naive(record.seen_at),
        "owner": record.owner or None,
        "labels": record.labels,
        "series": scan.fields.get("name") if scan else None,
        "scan_id": scan.scan_id if scan else None,
        "id": finding.id,
        "uid": record.uid,
        "note": record.note or None,
    }


def read_inventory_rows(table: DynamoScanTable) -> Iterator[Row]:
    """A row for each port of each host, from every vantage; a host without ports has one row."""
    for vantage in sorted({DEFAULT_VANTAGE, *table.history_vantages()}):
        for host in table.hosts(InventoryQuery(was_open=True), vantage=vantage):
            yield from _to_inventory_rows(host, vantage)


def _to_inventory_rows(host: HostRecord, vantage: str) -> Iterator[Row]:
    common = {
        "address": host.address,
        "hostname": host.hostname or None,
        "host_state": host.latest.state,
        "identity": host.identity or None,
        "vantage": vantage,
    }
    for port in host.ports:
        latest = port.latest
        yield common | {
            "protocol": port.protocol,
            "port": port.port,
            "state": latest.state,
            "service": latest.service or None,
            "product": latest.product or None,
            "version": latest.version or None,
            "first_seen": _to_naive(port.first_seen),
            "last_seen": _to_naive(port.last_seen),
            "scan_id": latest.scan_id,
        }
    if not host.ports:
        seen = {"first_seen": _to_naive(host.first_seen), "last_seen": _to_naive(host.last_seen)}
        yield common | seen | {"scan_id": host.latest.scan_id}


def read_exposure_rows(table: DynamoScanTable) -> Iterator[Row]:
    """Those of every state, also the resolved ones."""
    for state in ExposureState:
        for _, exposure in table.list_exposures(state):
            yield _to_exposure_row(exposure)


def _to_exposure_row(exposure: Exposure) -> Row:
    subject, acceptance = exposure.subject, exposure.acceptance
    return {
        "id": exposure.exposure_id,
        "kind": subject.kind,
        "state": exposure.state.value,
        "severity": exposure.severity,
        "vantage": subject.vantage,
        "address": subject.address,
        "hostname": exposure.hostname or None,
        "protocol": subject.protocol,
        "port": subject.port,
        "owner": exposure.owner or None,
        "sentence": exposure.sentence,
        "line": exposure.line or None,
        "first_seen": _to_naive(exposure.first_seen),
        "last_seen": _to_naive(exposure.last_seen),
        "accepted_until": acceptance.until if acceptance else None,
        "severity_rules": exposure.severity_rules,
    }


def read_scan_rows(table: DynamoScanTable) -> Iterator[Row]:
    """The newest MAX_SCANS_FILTERED."""
    return map(_to_scan_row, table.list_scans(MAX_SCANS_FILTERED))


def _to_scan_row(scan: Scan) -> Row:
    severities = scan.findings.severities
    return {
        "scan_id": scan.scan_id,
        "series": scan.name,
        "state": scan.state,
        "outcome": scan.outcome,
        "vantage": scan.vantage,
        "requested_at": _to_naive(scan.requested_at),
        "finished_at": _to_naive(scan.finished_at),
        "duration_s": duration_s(scan),
        "targets": scan.request.targets if scan.request else (),
        "parameters": scan.request.parameters if scan.request else (),
        "addresses": str(scan.total_addresses),  # more than JSON's readers take for a number
        "hosts_up": scan.hosts_up,
        "shards": scan.shards,
        "findings": scan.findings.count,
        "high": severities.get("HIGH", 0),
        "medium": severities.get("MEDIUM", 0),
        "low": severities.get("LOW", 0),
        "informational": severities.get("INFORMATIONAL", 0),
        "cost_usd": scan.cost.usd if scan.cost else None,
        "requested_by": scan.requested_by or None,
        "labels": scan.labels,
        "error": scan.error_description or None,
    }


def _to_naive(moment: datetime | None) -> datetime | None:
    """The time in UTC without its zone: columns of the type TIMESTAMP have none."""
    from datetime import UTC

    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None
