"""The second look at a port of which one look has shown an exposure: a connect scan, asked for at once.

A request goes through the request queue as every other one, so that scope, policy, rates and budget
hold. Its origin is that of a cascade, one hop further than the scan that it follows, and its key
derives from that scan and the ports: a repeat is the same scan. What a confirmation opens is not
confirmed again.

A connect scan probes no service, and with -Pn it sees the ports of a host that is not up as filtered.
So another service, and a host that is absent, are left to the next ordinary scan.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cascan.gateways import Exposures, IssuedRequests, RequestQueue
from cascan.ids import ReportKey, derive_fingerprint, derive_scan_id
from cascan.limits import MAX_CONFIRMATIONS, MAX_HOPS
from cascan.model.exposure import Exposure, ExposureKind
from cascan.model.scan import Scan
from cascan.model.vantage import DEFAULT_VANTAGE

CONFIRMATION = "exposure-confirmation"  # the rule in the origin of these scans, and their name
KEY_PREFIX = "exposure/"
# Linux repeats the packet that opens a connection three times within 3 seconds, and nmap tries twice: a port
# that answers seems silent only if six packets in a row are lost
CONNECT_SCAN = ("-sT", "-Pn", "--min-rtt-timeout", "3s")
CONFIRMED_KINDS = frozenset({ExposureKind.UNEXPECTED_OPEN, ExposureKind.MISSING, ExposureKind.CHANGE})


@dataclass(frozen=True, slots=True)
class ConfirmationGateways:
    table: Exposures
    requests: RequestQueue
    issued: IssuedRequests


def is_confirmation(scan: Scan) -> bool:
    origin = scan.request.origin if scan.request else None
    return origin is not None and origin.rule == CONFIRMATION


def request_confirmations(
    opened: Iterable[Exposure], scan: Scan, report: ReportKey, gateways: ConfirmationGateways
) -> int:
    """Request scans of the TCP ports of which one look shows an exposure. Returns how many were requested.

    The first MAX_CONFIRMATIONS of a scan are requested. The others are confirmed by the next scan
    that covers them.
    """
    if is_confirmation(scan) or scan.hop >= MAX_HOPS:
        return 0
    requested = 0
    for body in _build_requests(opened, scan, report):
        key = body["idempotencyKey"]
        if not gateways.table.count_confirmations(scan.scan_id, key, MAX_CONFIRMATIONS):
            break
        text = json.dumps(body)
        gateways.issued.issue(derive_scan_id(key), text)
        gateways.requests.send(text)
        requested += 1
    return requested


def _build_requests(opened: Iterable[Exposure], scan: Scan, report: ReportKey) -> Iterator[dict[str, Any]]:
    """A request for each set of ports, with the hosts that have exactly these."""
    ports_by_host: defaultdict[str, set[int]] = defaultdict(set)
    for exposure in opened:
        subject = exposure.subject
        if subject.protocol == "tcp" and subject.kind in CONFIRMED_KINDS:
            ports_by_host[subject.address].add(subject.port)
    hosts_by_ports: defaultdict[tuple[bool, str], list[str]] = defaultdict(list)
    for address, numbers in ports_by_host.items():
        ports = ",".join(map(str, sorted(numbers)))
        hosts_by_ports[":" in address, ports].append(address)
    for (is_ipv6, ports), hosts in hosts_by_ports.items():
        yield _build_request(sorted(hosts), ports, scan, report, is_ipv6=is_ipv6)


def _build_request(hosts: list[str], ports: str, scan: Scan, report: ReportKey, *, is_ipv6: bool) -> dict[str, Any]:
    key = f"{KEY_PREFIX}{scan.scan_id}/{derive_fingerprint(str(report), ports, *hosts)}"
    origin = scan.request.origin if scan.request else None
    request: dict[str, Any] = {
        "name": CONFIRMATION,
        "targets": hosts,
        "parameters": [*(["-6"] if is_ipv6 else []), *CONNECT_SCAN, "-p", f"T:{ports}"],
        "scanType": "nmap",
        "idempotencyKey": key,
        "authorization": scan.request.authorization if scan.request else "",
        "contact": scan.request.contact if scan.request else "",
        "origin": {
            "parentScan": scan.scan_id,
            "rootScan": origin.root_scan if origin else scan.scan_id,
            "rule": CONFIRMATION,
            "causeId": str(report),
            "hop": scan.hop + 1,
        },
    }
    if scan.request and scan.request.windows:
        request["windows"] = list(scan.request.windows)
    if scan.vantage != DEFAULT_VANTAGE:
        request["vantage"] = [scan.vantage]
    return request
