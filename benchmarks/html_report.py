"""The HTML report of 10,000 hosts: CPU time and memory to make it, and when Chromium can use it.

    python -m benchmarks.html_report

A scan and the scan before it, with 64,000 findings each, of which one in a hundred differs. Both are made as they are
read, and what the reading alone costs is taken off: a process reads both, another one makes the report. The browser's
times are those from the start of the navigation until the page is complete, and until a search is done.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cascan.html_report.build_report import build_report
from cascan.html_report.render_report import render_report
from cascan.ids import derive_finding_id, derive_fingerprint, derive_scan_id
from cascan.model.exposure import Exposure, ExposureState
from cascan.model.finding import Finding, Severity
from cascan.model.history import Look, NotOpenPorts
from cascan.model.request import ScanRequest
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from cascan.model.shard import Shard

HOSTS = 10_000
PORTS = {21: "ftp", 22: "ssh", 80: "http", 443: "https", 3306: "mysql"}
PRODUCTS = ("OpenSSH", "nginx", "Apache httpd", "vsftpd", "MariaDB")
AT = datetime(2026, 6, 1, tzinfo=UTC)
BANNER_PORT = 21  # its findings have the output of a script
RARE = 100  # one host of so many differs between the two scans
MB = 1024 * 1024
REPEATS = 3


class GeneratedTable:
    """A table of two scans whose findings are made when they are read."""

    def __init__(self) -> None:
        self.scans = [_make_scan(day) for day in (1, 0)]  # the newest first

    def get_scan(self, scan_id: str) -> Scan | None:
        return next((scan for scan in self.scans if scan.scan_id == scan_id), None)

    def list_scans(self, limit: int) -> Iterator[Scan]:
        return iter(self.scans[:limit])

    def shards(self, _: str) -> Iterator[Shard]:
        return iter(())

    def exposure_day(self) -> None:
        return None

    def list_exposures(self, _: ExposureState, *, after: str = "") -> Iterator[tuple[str, Exposure]]:  # noqa: ARG002
        return iter(())

    def looks_until(self, addresses: Collection[str], moment: datetime, **_: Any) -> Iterator[Look]:
        closed = NotOpenPorts("tcp", "1-10000", "closed")
        scan = next(scan for scan in self.scans if scan.requested_at < moment)
        for address in addresses:
            yield Look(address=address, seen_at=moment, scan_id=scan.scan_id, shard=0, attempt=1, not_open=(closed,))

    def findings(self, scan_id: str) -> Iterator[Finding]:
        is_newest = scan_id == self.scans[0].scan_id
        for number in range(HOSTS):
            yield from _make_findings(scan_id, number, is_newest=is_newest)


class NoCascades:
    def cascade(self, _: str) -> None:
        return None

    def cascade_children(self, _: str) -> Iterator[Any]:
        return iter(())


def _make_scan(day: int) -> Scan:
    at = AT + timedelta(days=day)
    return Scan(
        scan_id=derive_scan_id(f"day {day}"),
        name="benchmark",
        state=ScanState.DONE,
        outcome=Outcome.COMPLETE,
        requested_at=at,
        finished_at=at + timedelta(minutes=1),
        cause_id="",
        shards=1,
        request=ScanRequest(name="benchmark", targets=("10.0.0.0/16",), parameters=("-sV",)),
        findings=Counts(count=HOSTS),
    )


def _make_findings(scan_id: str, number: int, *, is_newest: bool) -> Iterator[Finding]:
    """Some six findings of a host: the host, five ports, and a vulnerability of every second host."""
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    host = {"ip_addresses": [address], "hostname": f"host-{number}.example", "operating_system": "Linux 5.4"}
    yield _make_finding(scan_id, address, "Host", f"Host: {address}", host)
    for port, service in PORTS.items():
        if number % RARE == port % 2 and is_newest == (port % 2 == 0):
            continue
        product, version = PRODUCTS[(number + port) % len(PRODUCTS)], f"{number % 9}.{port % 10}"
        attributes = host | {"port": port, "protocol": "tcp", "state": "open", "service": service, "tunnel": "none"}
        attributes |= {"serviceProduct": product, "serviceVersion": version, "reason": "syn-ack", "method": "probed"}
        attributes |= {
            "scripts": {"banner": f"220 {product} {version} ready at host-{number}"} if port == BANNER_PORT else {}
        }
        yield _make_finding(scan_id, address, "Open Port", f"Open Port: {port} ({service})", attributes)
    if number % 5 in (0, 1):
        attributes = host | {"port": 443, "protocol": "tcp", "script": "vulners", "cve": "CVE-2021-41773", "cvss": 7.5}
        yield _make_finding(scan_id, address, "Vulnerability", "CVE-2021-41773", attributes, severity=Severity.HIGH)


def _make_finding(
    scan_id: str,
    address: str,
    category: str,
    name: str,
    attributes: dict[str, Any],
    *,
    severity: Severity = Severity.LOW,
) -> Finding:
    fingerprint = derive_fingerprint(category, address, name)
    port = attributes.get("port")
    return Finding(
        id=derive_finding_id(scan_id, fingerprint),
        fingerprint=fingerprint,
        parsed_at=AT,
        name=name,
        description=f"Port {port} is open using tcp protocol.",
        category=category,
        severity=severity,
        osi_layer="NETWORK",
        location=f"tcp://{address}:{port}" if port else address,
        attributes=attributes,
    )


def main() -> None:
    if sys.argv[1:]:
        _run_part(*sys.argv[1:])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.html")
        reading, making = _measure("read", path), _measure("make", path)
        findings = sum(1 for _ in GeneratedTable().findings(derive_scan_id("day 1")))
        print(f"{HOSTS:,} hosts, {findings:,} findings: {path.stat().st_size / MB:.1f} MB")
        print(f"  made in {making[0] - reading[0]:.1f} s of CPU, and {making[1] - reading[1]:.0f} MB, beyond reading")
        _browse(path)


def _measure(part: str, path: Path) -> tuple[float, float]:
    """CPU seconds and MB at most, of a process of its own; the best of a few."""
    results = []
    for _ in range(REPEATS):
        command = [sys.executable, "-m", "benchmarks.html_report", part, str(path)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, megabytes = map(float, output.split())
        results.append((seconds, megabytes))
    return min(results)


def _run_part(part: str, path: str) -> None:
    table: Any = GeneratedTable()
    if part == "read":
        for scan in table.scans:
            deque(table.findings(scan.scan_id), maxlen=0)
    else:
        cascades: Any = NoCascades()
        report = build_report(table.scans[0], table, cascades, now=AT)
        with Path(path).open("wb") as file:
            file.writelines(render_report(report))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _browse(path: Path) -> None:
    with _open_browser() as browser:
        for name, size in (("laptop", (1366, 768)), ("phone", (390, 844))):
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            started = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready=yes]")
            loaded = time.perf_counter() - started
            started = time.perf_counter()
            page.fill("#search", "nginx port:443")
            page.wait_for_function("document.querySelector('#findings .count').textContent.includes(' of ')")
            print(f"  {name}: usable after {loaded:.2f} s, searched in {time.perf_counter() - started:.2f} s")
            page.close()


@contextmanager
def _open_browser() -> Iterator[Any]:
    from tests.support.browser import chromium

    with chromium() as browser:
        yield browser


if __name__ == "__main__":
    main()
