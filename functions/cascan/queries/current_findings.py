"""The current findings of the whole inventory, whichever scans and series they come from.

Of each open port, and of each host that is up, those of the scan that covered it last. Where that
scan is removed, the inventory still knows the port: then one finding is made from what it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Protocol

from cascan.findings import build_findings
from cascan.findings.by_host import find_port_key
from cascan.findings.ports import OPEN_PORT
from cascan.gateways import Findings, FindingsByHost, History, Inventory, Scans
from cascan.inventory.observations import ASSUMED_UP
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Port, Service
from cascan.model.inventory import HostRecord, InventoryQuery, PortKey, PortRecord
from cascan.model.scan import Scan
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import parse_address

FINDINGS_AT_ONCE = 500  # whose hosts are looked up together
EVERYTHING = InventoryQuery()


class Current(Findings, Inventory, History, Scans, Protocol):
    """The gateway that the question needs."""


class CurrentByHost(Current, FindingsByHost, Protocol):
    """The gateway that the question needs of one host."""


def find_current_findings(table: Current) -> Iterator[tuple[Finding, Scan | None]]:
    """The findings, by vantage and scan, each with its scan; None: made from the inventory alone."""
    for vantage in sorted({DEFAULT_VANTAGE, *table.history_vantages()}):
        yield from _find_seen_from(table, vantage)


def _find_seen_from(table: Current, vantage: str) -> Iterator[tuple[Finding, Scan | None]]:
    hosts = table.hosts(EVERYTHING, vantage=vantage)
    scan_ids = {scan_id for host in hosts for scan_id in _list_scans(host)}
    removed = set()
    for scan_id in sorted(scan_ids):
        scan = table.get_scan(scan_id)
        if scan is None:
            removed.add(scan_id)
            continue
        for finding in _filter_current(table, scan_id, vantage):
            yield finding, scan
    if removed:
        for host in table.hosts(EVERYTHING, vantage=vantage):
            for port in host.open_ports:
                if port.latest.scan_id in removed:
                    yield _build_finding(host, port), None


def find_current_findings_at(table: CurrentByHost, address: str, vantage: str) -> list[tuple[Finding, Scan]]:
    """Those of one host, as seen from one vantage, each with its scan. Scans that are removed have none."""
    host = table.known_hosts([address], vantage=vantage).get(address)
    newest = _find_newest_scans(host) if host else {}
    found: list[tuple[Finding, Scan]] = []
    for scan_id in sorted(set(_list_scans(host))) if host else ():
        scan = table.get_scan(scan_id)
        findings = table.findings_at(scan_id, [address]).get(address, ()) if scan else ()
        found += ((finding, scan) for finding in findings if scan and newest.get(find_port_key(finding)) == scan_id)
    return found


def _list_scans(host: HostRecord) -> Iterator[str]:
    if host.is_up:
        yield host.latest.scan_id
        yield from (port.latest.scan_id for port in host.open_ports)


def _filter_current(table: Current, scan_id: str, vantage: str) -> Iterator[Finding]:
    """The findings of the scan that no newer scan has covered again."""
    findings = table.findings(scan_id)
    while batch := list(islice(findings, FINDINGS_AT_ONCE)):
        addresses = set(filter(None, map(_find_address, batch)))
        hosts = table.known_hosts(addresses, vantage=vantage)
        newest = {address: _find_newest_scans(host) for address, host in hosts.items()}
        for finding in batch:
            scans = newest.get(_find_address(finding), {})
            if scans.get(find_port_key(finding)) == scan_id:
                yield finding


def _find_address(finding: Finding) -> str:
    """The host's address as the inventory writes it; empty if it has none."""
    for text in finding.attributes.get("ip_addresses") or ():
        with suppress(ValueError):
            return str(parse_address(str(text)))
    return ""


def _find_newest_scans(host: HostRecord) -> dict[PortKey | None, str]:
    """By open port, and under None of the host, the scan that covered it last. A tarpit has 65,535 open ports."""
    if not host.is_up:
        return {}
    return {None: host.latest.scan_id} | {port.key: port.latest.scan_id for port in host.open_ports}


def _build_finding(host: HostRecord, port: PortRecord) -> Finding:
    latest = port.latest
    service = Service(
        name=latest.service,
        product=latest.product,
        version=latest.version,
        method="probed" if latest.probed else "table",
    )
    seen = Host(
        state="up",
        reason=ASSUMED_UP,
        addresses=(Address(host.address, "ipv6" if ":" in host.address else "ipv4"),),
        ports=(Port(protocol=port.protocol, number=port.port, state=latest.state, service=service),),
    )
    names = {host.address: host.hostname} if host.hostname else {}
    return next(_only_ports(build_findings(seen, latest.scan_id, latest.seen_at, names)))


def _only_ports(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (finding for finding in findings if finding.category == OPEN_PORT)
