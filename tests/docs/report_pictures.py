"""Take pictures of the HTML report of a made-up network, on a laptop and on a phone, in light and in dark colours.

python -m tests.docs.report_pictures [NAME …]     pictures.py has the options
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace
from playwright.sync_api import ViewportSize

from cascan.findings.by_host import group_by_host
from cascan.html_report.build_report import build_report
from cascan.html_report.render_report import render_report
from cascan.ids import derive_finding_id, derive_fingerprint, derive_scan_id
from cascan.model.cascade import CascadeLine, StoredChild
from cascan.model.exposure import Exposure, ExposureDay, ExposureState, ExposureSubject
from cascan.model.finding import Finding, Severity
from cascan.model.history import Look, NotOpenPorts
from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from tests.docs.pictures import open_album
from tests.fakes import MemoryScanTable
from tests.fakes.cascades import MemoryCascadeTable
from tests.support.browser import chromium
from tests.support.builders import a_request, a_scan

SIZES = {"laptop": ViewportSize(width=1280, height=860), "phone": ViewportSize(width=390, height=844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NOW = datetime(2026, 6, 15, 4, 30, tzinfo=UTC)
NIGHTS = 14
SERVICES = {
    22: ("ssh", "OpenSSH", "9.2p1"),
    80: ("http", "nginx", "1.22.1"),
    443: ("https", "nginx", "1.22.1"),
    445: ("microsoft-ds", "Samba smbd", "4.17"),
    3389: ("ms-wbt-server", "Microsoft Terminal Services", ""),
    5432: ("postgresql", "PostgreSQL DB", "15.6"),
}
ROLES = (("web", (22, 80, 443)), ("db", (22, 5432)), ("files", (22, 445)), ("desk", (445, 3389)))


def main() -> None:
    pictures = {f"report-{size}-{scheme}": (size, scheme) for size in SIZES for scheme in SCHEMES}
    album = open_album(__doc__, pictures)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path = Path(folder, "report.html")
        path.write_bytes(b"".join(render_report(build_a_report())))
        for name, (size, scheme) in pictures.items():
            if album.wants(name):
                page = browser.new_page(viewport=SIZES[size], color_scheme=scheme)
                page.goto(path.as_uri())
                album.add(f"{name}.png", page.screenshot())


def build_a_report() -> Any:
    """A report with something in every section."""
    table, cascades = MemoryScanTable(), MemoryCascadeTable()
    scans = [_make_scan(night) for night in range(NIGHTS)]
    for scan in scans:
        table.create_scan(scan)
    earlier, scan = scans[-2:]
    table.put_findings(earlier.scan_id, group_by_host(_make_findings(earlier, is_newest=False)))
    table.put_findings(scan.scan_id, group_by_host(_make_findings(scan, is_newest=True)))
    for looked in (earlier, scan):
        table.store_looks(_make_looks(looked))
    table.put_exposure_day(ExposureDay(due_at=NOW))
    for number, exposure in enumerate(_make_exposures()):
        table.put_exposure(replace(exposure, exposure_id=f"e{number}", revision=1))
    _add_cascade(scan, table, cascades)
    return build_report(scan, table, cascades, now=NOW)


def _make_scan(night: int) -> Scan:
    at = NOW - timedelta(days=NIGHTS - 1 - night, minutes=30)
    severities = {"HIGH": 2 + night % 3, "MEDIUM": 5 + night // 3, "LOW": 8, "INFORMATIONAL": 60 + 2 * night}
    reason = Reason.of(ReasonCode.HOST_TIMED_OUT, "10.20.0.61", "10.20.0.61 ran into --host-timeout 10m")
    return a_scan(
        scan_id=derive_scan_id(f"night {night}"),
        name="office",
        state=ScanState.DONE,
        outcome=Outcome.TIMED_OUT if night == NIGHTS - 1 else Outcome.COMPLETE,
        reasons=Reasons.of([reason]) if night == NIGHTS - 1 else Reasons(),
        requested_at=at,
        finished_at=at + timedelta(minutes=11),
        shards=4,
        shards_open=0,
        shard_outcomes={"complete": 3, "timed-out": 1},
        addresses=256,
        hosts_up=32,
        findings=Counts(count=sum(severities.values()), severities=severities),
        request=a_request(
            name="office",
            targets=("10.20.0.0/24",),
            exclude=("10.20.0.250",),
            parameters=("-sV", "-p", "1-10000", "--script", "vulners,ssl-cert"),
            labels={"site": "berlin"},
            contact="network team",
        ),
    )


def _make_findings(scan: Scan, *, is_newest: bool) -> Iterator[Finding]:
    for number in range(1, 33):
        address = f"10.20.0.{number}"
        role, ports = ROLES[number % len(ROLES)]
        host = {"ip_addresses": [address], "hostname": f"{role}-{number:02}.office.example"}
        yield _make_finding(scan, "Host", f"Host: {host['hostname']}", host)
        opened = [port for port in ports if is_newest or (number, port) not in ((9, 5432), (17, 5432), (11, 3389))]
        for port in opened if is_newest or number % 16 else [*opened, 8080]:
            service, product, version = SERVICES.get(port, ("http-proxy", "Squid http proxy", "5.7"))
            attributes = host | {"port": port, "protocol": "tcp", "state": "open", "service": service}
            attributes |= {"serviceProduct": product, "serviceVersion": version, "reason": "syn-ack"}
            yield _make_finding(scan, "Open Port", f"Open Port: {port} ({service})", attributes)
        yield from _make_flaws(scan, number, host)


def _make_flaws(scan: Scan, number: int, host: dict[str, Any]) -> Iterator[Finding]:
    tcp = host | {"protocol": "tcp"}
    if number in (8, 20):
        output = "  nginx 1.22.1:\n    CVE-2023-44487  7.5  https://vulners.com/cve/CVE-2023-44487"
        attributes = tcp | {"port": 443, "script": "vulners", "cvss": 7.5, "scripts": {"vulners": output}}
        yield _make_finding(scan, "Vulnerability", "CVE-2023-44487", attributes, severity=Severity.HIGH)
    if number % 12 == 3:
        attributes = tcp | {"port": 3389, "script": "rdp-enum-encryption"}
        name = "RDP without Network Level Authentication"
        yield _make_finding(scan, "RDP", name, attributes, severity=Severity.MEDIUM)
    if number % 4 == 0:
        until = (NOW + timedelta(days=number * 9 - 60)).strftime("%Y-%m-%dT00:00:00.000Z")
        subject = {"commonName": host["hostname"]}
        attributes = tcp | {"port": 443, "script": "ssl-cert", "subject": subject, "not_after": until}
        yield _make_finding(scan, "TLS Certificate", "TLS Certificate", attributes, severity=Severity.LOW)


def _make_finding(
    scan: Scan, category: str, name: str, attributes: dict[str, Any], *, severity: Severity = Severity.INFORMATIONAL
) -> Finding:
    address, port = attributes["ip_addresses"][0], attributes.get("port")
    fingerprint = derive_fingerprint(category, address, name)
    return Finding(
        id=derive_finding_id(scan.scan_id, fingerprint),
        fingerprint=fingerprint,
        parsed_at=scan.requested_at,
        name=name,
        description=f"Port {port} is open using tcp protocol." if port else "Found a host",
        category=category,
        severity=severity,
        osi_layer="NETWORK",
        location=f"tcp://{address}:{port}" if port else address,
        attributes=attributes,
    )


def _make_looks(scan: Scan) -> Iterator[Look]:
    closed = NotOpenPorts("tcp", "1-10000", "closed")
    for number in range(1, 33):
        at = scan.requested_at + timedelta(minutes=10)
        yield Look(
            address=f"10.20.0.{number}", seen_at=at, scan_id=scan.scan_id, shard=0, attempt=1, not_open=(closed,)
        )


def _make_exposures() -> Iterator[Exposure]:
    places = (
        (9, 5432, "unexpected-open", ExposureState.CONFIRMED, "databases", 1, Severity.HIGH),
        (17, 5432, "unexpected-open", ExposureState.OPEN, "databases", 0, Severity.HIGH),
        (11, 3389, "unexpected-open", ExposureState.ACKNOWLEDGED, "desktops", 6, Severity.MEDIUM),
        (4, 80, "other-service", ExposureState.CONFIRMED, "web", 12, Severity.MEDIUM),
    )
    for number, port, kind, state, owner, days, severity in places:
        subject = ExposureSubject(vantage="default", address=f"10.20.0.{number}", kind=kind, protocol="tcp", port=port)
        yield Exposure(
            exposure_id="",
            subject=subject,
            state=state,
            severity=severity,
            owner=owner,
            sentence=f"port {port} is open, and no entry expects it",
            first_seen=NOW - timedelta(days=days),
        )


def _add_cascade(scan: Scan, table: MemoryScanTable, cascades: MemoryCascadeTable) -> None:
    """One rule led to a scan of web servers, and one to nothing."""
    child_id = derive_scan_id("a child")
    table.create_scan(
        replace(scan, scan_id=child_id, name="office-tls", hop=1, findings=Counts(count=9), requested_at=NOW)
    )
    cascades.begin_cascade(scan.scan_id, {"tls": 1})
    child = StoredChild(
        key="tls",
        rule="tls-details",
        scan_id=child_id,
        name="office-tls",
        scan_type="nmap",
        parameters=("-p443", "--script", "ssl-enum-ciphers"),
        targets=8,
        count=8,
        sent=True,
    )
    cascades.stored[scan.scan_id] = {child.key: child}
    reason = "postgres is not in the policy profile"
    cascades.end_cascade(scan.scan_id, [CascadeLine(kind="refused", rule="database-probe", reason=reason, count=8)])


if __name__ == "__main__":
    main()
