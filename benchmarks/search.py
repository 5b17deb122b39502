"""The search index: the time to make it, its size, and the time of searches.

    python -m benchmarks.search [FINDINGS]

Generated findings are handed to the index directly, so the figures are without the time to read
them from the table. Each search opens the index, as a command does.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

from cascan.findings import build_findings
from cascan.ids import derive_scan_id
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Port, Script, Service
from cascan.model.request import ScanRequest
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.queries.finding_query import FindingQuery
from cascan.queries.search import SearchText
from cascan_cli.local.search_index import Search, open_index

FINDINGS = 1_000_000
SCANS = 20
SERVICES = {
    22: ("ssh", "OpenSSH"),
    25: ("smtp", "Postfix smtpd"),
    80: ("http", "nginx"),
    110: ("pop3", "Dovecot pop3d"),
    143: ("imap", "Dovecot imapd"),
    443: ("http", "Apache httpd"),
    3306: ("mysql", "MySQL"),
    8080: ("http", "Jetty"),
    9200: ("http", "Elasticsearch"),
}  # with the host itself, ten findings a host
RARE_EVERY = 50_000  # hosts: one of them has the CVE
CVE = "CVE-2021-44228"
AT = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT, REPEATS, AIM_MS = 101, 5, 200
NETWORK = (4, 0x0A000000 + 0x1200, 0x0A000000 + 0x12FF)  # 10.0.18.0/24
ADDRESS = (4, 0x0A000042, 0x0A000042)
SEARCHES = {
    "a word of most findings: open": (["open"], FindingQuery()),
    "a word of a tenth: openssh": (["openssh"], FindingQuery()),
    "a phrase: 'openssh 8.9'": (["openssh 8.9"], FindingQuery()),
    f"a rare id: {CVE}": ([CVE], FindingQuery()),
    "a key of one host": (["0000000000001042"], FindingQuery()),
    "a word that nothing has": (["nosuchword"], FindingQuery()),
    "two words: jetty 2024": (["jetty", "2024"], FindingQuery()),
    "open, with --severity high": (["open"], FindingQuery(severities=frozenset({"HIGH"}))),
    "open, with --host of a /24 and --port 443": (
        ["open"],
        FindingQuery(networks=(NETWORK,), ports=frozenset({("tcp", 443)})),
    ),
    "tcp, with --host of one address": (["tcp"], FindingQuery(networks=(ADDRESS,))),
    "the beginning of many words: 1": (["1"], FindingQuery()),
}


def main() -> None:
    findings = int(sys.argv[1]) if sys.argv[1:] else FINDINGS
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder, "search.sqlite")
        build(path, findings)
        for name, (texts, query) in SEARCHES.items():
            measure(path, name, Search(SearchText.parse(texts), query, LIMIT))


def build(path: Path, findings: int) -> None:
    host_number, elapsed = count(), 0.0
    with open_index(path) as index:
        for number in range(SCANS):
            batch = list(islice(generate(number, host_number), findings // SCANS))
            started = time.perf_counter()
            index.add_scan(a_scan(number), batch)
            elapsed += time.perf_counter() - started
    size, peak = path.stat().st_size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(f"{findings:,} findings of {SCANS} scans: {elapsed:.1f} s, {elapsed * 1e6 / findings:.1f} ms per 1,000")
    print(f"  {size / 1e6:.0f} MB, {size / findings:.0f} bytes a finding; memory at most {peak:.0f} MB")


def measure(path: Path, name: str, search: Search) -> None:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        with open_index(path) as index:
            results = index.search(search)
        times.append((time.perf_counter() - started) * 1e3)
    median = statistics.median(times)
    remark = f"   above the aim of {AIM_MS} ms" if median > AIM_MS else ""
    print(f"  {name:45}{median:8.1f} ms (first {times[0]:.1f}), {len(results)} results{remark}")


def generate(scan: int, host_number: Iterator[int]) -> Iterator[Finding]:
    scan_id = derive_scan_id(str(scan))
    for number in host_number:
        # Every scan sees the same addresses again
        yield from build_findings(a_host(number), scan_id, AT + timedelta(days=scan), {})


def a_host(number: int) -> Host:
    place = number % 65_536
    address = f"10.0.{place >> 8}.{place & 255}"
    ports = tuple(a_port(number, port) for port in SERVICES)
    return Host(state="up", reason="reset", addresses=(Address(address, "ipv4"),), ports=ports)


def a_port(number: int, port: int) -> Port:
    name, product = SERVICES[port]
    version = f"{number % 9}.{number % 10}"
    scripts = [Script("banner", f"{product} {version} built {2015 + number % 11}")]
    if port == 22:  # noqa: PLR2004 - ssh
        scripts.append(Script("ssh-hostkey", f"2048 {number:016d} (RSA)"))
    if port == 8080 and number % RARE_EVERY == 0:  # noqa: PLR2004 - Jetty
        scripts.append(Script("http-log4shell", f"VULNERABLE: {CVE}"))
    service = Service(name=name, product=product, version=version, method="probed")
    return Port(protocol="tcp", number=port, state="open", service=service, scripts=tuple(scripts))


def a_scan(number: int) -> Scan:
    at = AT + timedelta(days=number)
    return Scan(
        scan_id=derive_scan_id(str(number)),
        name="nightly",
        state=ScanState.DONE,
        requested_at=at,
        finished_at=at,
        cause_id="a message",
        request=ScanRequest(targets=("10.0.0.0/16",)),
        outcome=Outcome.COMPLETE,
    )


if __name__ == "__main__":
    main()
