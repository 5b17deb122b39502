"""/hosts/ADDRESS: all that is known of a host, and a button that scans it now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from cascan.findings.redact import redact_finding
from cascan.queries.describe_detail import describe_detail
from cascan.queries.host_page import HostView, read_host
from cascan.queries.reach import list_vantages
from cascan.rules.severity import to_count_key
from cascan_cli.errors import BadInput
from cascan_cli.output.history import describe_service, format_port
from cascan_cli.stack.explain_request import explain_request
from cascan_cli.ui.audit import act
from cascan_cli.ui.console import Console, format_time, get_console, go_to
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Cell, Listing, Section, link, make_section
from cascan_cli.ui.pages.cells import exposure_link, scan_link, severity_cell, state_cell
from cascan_cli.ui.pages.submit import submit

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.exposure import Exposure
    from cascan.queries.history import Span
    from cascan.queries.host_page import ScanOfHost

NOW_COLUMNS = ("Seen from", "Port", "State", "Service", "Product", "Open since", "Last seen open", "Scan")
FINDING_COLUMNS = ("Severity", "Location", "Finding", "Detail", "Scan")
EXPOSURE_COLUMNS = ("Exposure", "Severity", "State", "Port", "Why")
SCAN_COLUMNS = ("Scan", "Name", "Looked at", "Host")
SPAN_COLUMNS = ("Port", "State", "From", "To", "Looks", "Service")


def _parse_address(request: Request) -> str:
    """Raises: HTTPException: it is none."""
    with suppress(ValueError):
        return str(ip_address(request.path_params["address"].strip("[]")))
    raise HTTPException(404, "This is not an address. The inventory finds hosts by their names.")


def show_host(request: Request) -> Response:
    console, address = get_console(request), _parse_address(request)
    table = console.stack.table
    views = read_host(table, address, list_vantages(table), console.clock(), console.readers.map)
    listing = Listing(
        title=f"Host {address}",
        columns=NOW_COLUMNS,
        rows=(row for view in views for row in _list_ports(view)),
        empty="No port was ever seen open." if views else "No scan has looked at this address.",
    )
    names = dict.fromkeys(view.record.hostname for view in views if view.record and view.record.hostname)
    return show_listing(
        request,
        listing,
        "host.html",
        address=address,
        names=list(names),
        states=[(view.vantage, _describe_state(view)) for view in views],
        sections=[section for view in views for section in _list_sections(console, view)],
    )


def scan_host(request: Request) -> Response:
    """Scan all that is open or was open of the host once more, as the button says."""
    console, address = get_console(request), _parse_address(request)
    body = json.dumps({"targets": [address], "parameters": ["-sV"]})
    explained = explain_request(body, console.args)
    if not explained.accepted:
        raise BadInput("; ".join(refusal.reason for refusal in explained.refusals))
    scan_ids: list[str] = []

    def send() -> str:
        scan_ids.append(submit(console, body))
        return f"Scan {scan_ids[0]} of {address} was requested."

    sentence = act(console, "scan", f"{address} -sV", send)
    return go_to(request, link("scans", scan_ids[0]), sentence)


def _describe_state(view: HostView) -> str:
    record, identified = view.record, view.identified
    if record is None:
        return "never seen up"
    state = f"{record.latest.state}, first seen {format_time(record.first_seen)}, last {format_time(record.last_seen)}"
    if identified is None:
        return state
    stays = ", ".join(f"{stay.address} until {format_time(stay.last)}" for stay in identified.stays)
    return f"{state}; known as {identified.record.identity}, at {stays}"


def _list_ports(view: HostView) -> Iterator[tuple[object, ...]]:
    for port in view.record.ports if view.record else ():
        latest = port.latest
        yield (
            view.vantage,
            format_port(port.key),
            Cell(latest.state, mark="good" if port.is_open else "quiet"),
            latest.service,
            f"{latest.product} {latest.version}".strip(),
            format_time(port.first_seen),
            format_time(port.last_seen),
            scan_link(latest.scan_id),
        )


def _list_sections(console: Console, view: HostView) -> Iterator[Section]:
    origin = f"from {view.vantage}"
    yield make_section(f"Findings, {origin}", FINDING_COLUMNS, _list_findings(console, view))
    yield make_section(f"Exposures, {origin}", EXPOSURE_COLUMNS, map(_exposure_row, view.exposures))
    yield make_section(f"History, {origin}", SPAN_COLUMNS, map(_span_row, view.spans))
    yield make_section(f"Seen by, {origin}", SCAN_COLUMNS, map(_scan_row, view.scans))


def _list_findings(console: Console, view: HostView) -> Iterator[tuple[object, ...]]:
    for stored, scan in view.findings:
        finding = redact_finding(stored)
        yield (
            severity_cell(to_count_key(finding)),
            finding.location,
            finding.name,
            describe_detail(finding, console.clock()),
            scan_link(scan.scan_id, scan.name),
        )


def _exposure_row(exposure: Exposure) -> tuple[object, ...]:
    return (
        exposure_link(exposure.exposure_id),
        severity_cell(exposure.severity.value),
        state_cell(exposure.state.value),
        format_port(exposure.subject.key),
        exposure.sentence,
    )


def _span_row(span: Span) -> tuple[object, ...]:
    return (
        format_port(span.key) if span.key else "the host",
        span.state,
        format_time(span.first.seen_at),
        format_time(span.last.seen_at),
        span.looks,
        describe_service(span.service),
    )


def _scan_row(seen: ScanOfHost) -> tuple[object, ...]:
    return (
        scan_link(seen.scan_id) if seen.scan else seen.scan_id,
        seen.scan.name if seen.scan else "removed",
        format_time(seen.seen_at),
        "up" if seen.is_up else "not up",
    )
