"""A host as a page of text, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cascan.clock import utc_now
from cascan.findings.to_json import scan_fields, to_json
from cascan.queries.routes import find_route
from cascan_cli.output.fields import print_fields, print_lines, print_title
from cascan_cli.output.findings import build_finding_row, print_finding_rows
from cascan_cli.output.history import describe_service, format_look, format_port, format_time, look_to_json
from cascan_cli.output.history import service_to_json as seen_service_to_json
from cascan_cli.output.inventory import known_port_to_json
from cascan_cli.output.table import print_table

if TYPE_CHECKING:
    from cascan.model.exposure import Exposure
    from cascan.model.inventory import HostRecord, PortRecord
    from cascan.queries.history import Span
    from cascan.queries.host_page import HostView, ScanOfHost
    from cascan.queries.moved_hosts import IdentifiedHost
    from cascan.queries.routes import Hop

PORT_COLUMNS = ("PORT", "STATE", "SERVICE", "PRODUCT", "OPEN SINCE", "LAST SEEN OPEN", "SCAN")
SPAN_COLUMNS = ("PORT", "STATE", "FROM", "TO", "LOOKS", "SERVICE")
SCAN_COLUMNS = ("SCAN", "NAME", "LOOKED AT", "HOST")
ROUTE_COLUMNS = ("HOP", "ADDRESS", "NAME", "TIME")
EXPOSURE_COLUMNS = ("ID", "SEVERITY", "STATE", "PORT", "KIND")


def print_host(address: str, views: Sequence[HostView]) -> None:
    for view in views:
        record = view.record
        print_fields(
            [
                ("address", address),
                ("name", record.hostname if record else ""),
                ("seen from", view.vantage),
                ("state", _describe_state(record)),
                ("first seen", format_time(record.first_seen) if record else ""),
                ("last seen", format_time(record.last_seen) if record else ""),
                ("identity", _describe_identity(view.identified)),
            ]
        )
        _print_tables(view)
        print()


def _print_tables(view: HostView) -> None:
    if view.record and view.record.ports:
        print_title("Ports now")
        rows = map(_build_port_row, view.record.ports)
        print_table(PORT_COLUMNS, rows, drop=("SCAN", "LAST SEEN OPEN", "PRODUCT"), whole=("SCAN",))
    if view.findings:
        print_title("Findings")
        now = utc_now()
        print_finding_rows(build_finding_row(finding, now) for finding, _ in view.findings)
    if view.exposures:
        print_title("Exposures")
        print_table(EXPOSURE_COLUMNS, map(_build_exposure_row, view.exposures))
    if route := find_route(finding for finding, _ in view.findings):
        print_title("Route")
        print_table(ROUTE_COLUMNS, map(_build_hop_row, route))
    if view.spans:
        print_title("History")
        print_table(SPAN_COLUMNS, map(_build_span_row, view.spans), drop=("LOOKS", "SERVICE"))
    if view.scans:
        print_title("Seen by")
        print_table(SCAN_COLUMNS, map(_build_scan_row, view.scans), drop=("NAME",), whole=("SCAN",))
    if view.scans_unlisted:
        print_lines([f"and {view.scans_unlisted} earlier scans"])


def _describe_state(record: HostRecord | None) -> str:
    return record.latest.state if record else "never seen up"


def _describe_identity(identified: IdentifiedHost | None) -> str:
    if identified is None:
        return ""
    identity = identified.record.identity
    stays = ", ".join(f"{stay.address} until {format_time(stay.last)}" for stay in identified.stays)
    return f"{identity}, seen at {stays}"


def _build_port_row(port: PortRecord) -> tuple[object, ...]:
    latest = port.latest
    product = " ".join(filter(None, (latest.product, latest.version, latest.extrainfo)))
    since = format_time(port.first_seen) if port.is_open else ""
    return (
        format_port(port.key),
        latest.state,
        latest.service,
        product,
        since,
        format_time(port.last_seen),
        latest.scan_id,
    )


def _build_span_row(span: Span) -> tuple[object, ...]:
    place = format_port(span.key) if span.key else "host"
    times = format_look(span.first), format_look(span.last)
    return place, span.state, *times, span.looks, describe_service(span.service)


def _build_scan_row(seen: ScanOfHost) -> tuple[object, ...]:
    name = seen.scan.name if seen.scan else "(removed)"
    return seen.scan_id, name, format_time(seen.seen_at), "up" if seen.is_up else "not up"


def _build_hop_row(hop: Hop) -> tuple[object, ...]:
    return hop.number, hop.address, hop.name, "" if hop.rtt_ms is None else f"{hop.rtt_ms:g} ms"


def _build_exposure_row(exposure: Exposure) -> tuple[object, ...]:
    subject = exposure.subject
    port = format_port(subject.key) if subject.protocol else "host"
    return exposure.exposure_id, exposure.severity, exposure.state.value, port, subject.kind


# ---- JSON


def host_view_to_json(address: str, view: HostView) -> dict[str, Any]:
    record = view.record
    return {
        "address": address,
        "vantage": view.vantage,
        "hostname": record.hostname if record else "",
        "state": _describe_state(record),
        "firstSeen": record.first_seen if record else None,
        "lastSeen": record.last_seen if record else None,
        "identity": record.identity if record else "",
        "stays": _stays_to_json(view.identified),
        "ports": [known_port_to_json(port) for port in record.ports] if record else [],
        "history": [_span_to_json(span) for span in view.spans],
        "scans": [_scan_to_json(seen) for seen in view.scans],
        "scansUnlisted": view.scans_unlisted,
        "findings": [to_json(finding, scan_fields(scan)) for finding, scan in view.findings],
        "route": [_hop_to_json(hop) for hop in find_route(finding for finding, _ in view.findings)],
        "exposures": [_exposure_to_json(exposure) for exposure in view.exposures],
    }


def _stays_to_json(identified: IdentifiedHost | None) -> list[dict[str, Any]]:
    stays = identified.stays if identified else ()
    return [{"address": stay.address, "first": stay.first, "last": stay.last} for stay in stays]


def _span_to_json(span: Span) -> dict[str, Any]:
    return {
        "protocol": span.key[0] if span.key else "",
        "port": span.key[1] if span.key else None,
        "state": span.state,
        "service": seen_service_to_json(span.service),
        "firstLook": look_to_json(span.first),
        "lastLook": look_to_json(span.last),
        "looks": span.looks,
    }


def _scan_to_json(seen: ScanOfHost) -> dict[str, Any]:
    return {
        "id": seen.scan_id,
        "name": seen.scan.name if seen.scan else "",
        "lookedAt": seen.seen_at,
        "isUp": seen.is_up,
        "isRemoved": seen.scan is None,
    }


def _hop_to_json(hop: Hop) -> dict[str, Any]:
    return {"hop": hop.number, "address": hop.address, "name": hop.name, "ms": hop.rtt_ms}


def _exposure_to_json(exposure: Exposure) -> dict[str, Any]:
    return {
        "id": exposure.exposure_id,
        "severity": exposure.severity,
        "state": exposure.state,
        "protocol": exposure.subject.protocol,
        "port": exposure.subject.port or None,
        "kind": exposure.subject.kind,
    }
