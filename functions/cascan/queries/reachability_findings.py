"""What a scan over several vantages says of its ports: a finding for each port whose state differs by vantage.

It is computed from the looks of the scan's members each time, and nothing of it is stored. So a repeat, a reparse and
a late report need no correction. decisions/0051 has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Protocol

from cascan.gateways import Findings, History, Scans
from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.inventory.looks import find_state
from cascan.limits import MAX_REACHABILITY_PORTS
from cascan.model.finding import Finding, Severity
from cascan.model.history import Look
from cascan.model.inventory import PortKey
from cascan.model.scan import Scan
from cascan.nmap.addresses import find_network, is_address, order_address

CATEGORY, OPEN_PORT = "Reachability", "Open Port"
CLOCK_SKEW = timedelta(hours=1)  # of workers, whose clock gives a look its time
States = dict[str, str]  # of one port, by vantage


class FindingsAndLooks(Scans, Findings, History, Protocol):
    """What reading the findings of a scan needs."""


class OpenedPorts:
    """The ports that members found open, at most MAX_REACHABILITY_PORTS of them."""

    def __init__(self) -> None:
        self.by_address: dict[str, set[PortKey]] = {}
        self._count = 0

    def add(self, finding: Finding) -> None:
        port, addresses = finding.attributes.get("port"), finding.attributes.get("ip_addresses")
        if finding.category != OPEN_PORT or not isinstance(port, int) or not addresses:
            return
        if self._count >= MAX_REACHABILITY_PORTS:
            return
        keys = self.by_address.setdefault(addresses[0], set())
        key = (str(finding.attributes.get("protocol") or "tcp"), port)
        self._count += key not in keys
        keys.add(key)


def find_reachability(scan: Scan, opened: OpenedPorts, table: FindingsAndLooks) -> Iterator[Finding]:
    """The findings of an ended scan with members, in order of address and port. None while it runs."""
    members = [member for member in map(table.get_scan, scan.members) if member is not None]
    if scan.finished_at is None or len(members) == 1:  # one vantage has nothing to differ from
        return
    addresses = sorted(filter(is_address, opened.by_address), key=_find_network)
    for _, batch in groupby(addresses, key=lambda address: _find_network(address)[:2]):
        asked = {address: opened.by_address[address] for address in batch}
        states = _find_states(scan, members, asked, table)
        for address, keys in asked.items():
            for key in sorted(keys):
                of_port = states.get((address, key), {})
                if len(set(of_port.values())) > 1:
                    yield _build_finding(scan, address, key, of_port)


def _find_states(
    scan: Scan, members: Sequence[Scan], asked: Mapping[str, set[PortKey]], table: History
) -> dict[tuple[str, PortKey], States]:
    """The states of the ports of addresses in one network. A member that did not cover a port has none."""
    states: dict[tuple[str, PortKey], States] = {}
    until, since = (scan.finished_at or scan.requested_at) + CLOCK_SKEW, scan.requested_at - CLOCK_SKEW
    for member in members:
        for vantage in member.vantages_of_looks:
            looks = table.looks_until(asked.keys(), until, since=since, vantage=vantage)
            for address, key, state in _read_states(looks, member.scan_id, asked):
                states.setdefault((address, key), {}).setdefault(vantage, state)
    return states


def _read_states(
    looks: Iterable[Look], scan_id: str, asked: Mapping[str, set[PortKey]]
) -> Iterator[tuple[str, PortKey, str]]:
    """The states in the looks of one scan; those of the newest look come first."""
    for look in looks:
        if look.scan_id == scan_id:
            for key in asked.get(look.address, ()):
                state = find_state(look, key)
                if state is not None:
                    yield look.address, key, state


def _build_finding(scan: Scan, address: str, key: PortKey, states: States) -> Finding:
    protocol, port = key
    fingerprint = derive_fingerprint(CATEGORY, address, protocol, str(port))
    host = f"[{address}]" if ":" in address else address
    views = ", ".join(f"{state} from {vantage}" for vantage, state in sorted(states.items()))
    return Finding(
        id=derive_finding_id(scan.scan_id, fingerprint),
        fingerprint=fingerprint,
        parsed_at=scan.finished_at or scan.requested_at,
        name=f"{CATEGORY}: {port} differs by vantage",
        description=f"Port {port} ({protocol}) is {views}.",
        category=CATEGORY,
        severity=Severity.INFORMATIONAL,
        osi_layer="NETWORK",
        location=f"{protocol}://{host}:{port}",
        attributes={
            "ip_addresses": [address],
            "port": port,
            "protocol": protocol,
            "states": dict(sorted(states.items())),
        },
    )


def _find_network(address: str) -> tuple[int, int, int]:
    """Family, network and number: an order in which addresses of one network come together."""
    family, network = find_network(address)
    return family, network, order_address(address)[1]
