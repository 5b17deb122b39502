"""The processor time and the memory that each format takes to export a million findings.

    python -m benchmarks.exports [FINDINGS]

Each format is rendered in a process of its own, from records that are made one after the other; the
time to make them is measured by itself and taken off. Reading the table is not part of this:
`benchmarks.streaming` has `findings SCAN --as jsonl` as a whole.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from msgspec.structs import replace

from cascan.findings import build_findings
from cascan.formats.records import Export, Record, ScanFields, build_record
from cascan.formats.registry import FORMATS, render_records
from cascan.ids import derive_scan_id
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Port, Service
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan, ScanState

FINDINGS = 1_000_000
PORTS = (21, 22, 25, 53, 80, 111, 143, 443, 993)  # with the host itself, ten findings
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCAN_ID = derive_scan_id("a large scan")
LIMIT_MB, JSON_LINES_MS = 100, 5.0
NOTHING = "records alone"


def main(count: int) -> None:
    print(f"{count:,} findings; the aims are {LIMIT_MB} MB, and {JSON_LINES_MS} ms for 1,000 as JSON lines")
    base_ms, _ = measure(NOTHING, count)
    for name in FORMATS:
        ms, memory_mb = measure(name, count)
        print(f"{name:12} {ms - base_ms:7.2f} ms of CPU per 1,000 findings, {memory_mb:4.0f} MB")


def measure(name: str, count: int) -> tuple[float, float]:
    """Milliseconds of processor time for 1,000 findings, and the most memory in MB."""
    argv = [sys.executable, "-m", "benchmarks.exports", name, str(count)]
    printed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    ms, memory_mb = map(float, printed.split())
    return ms, memory_mb


def render(name: str, count: int) -> None:
    """Render in this process, and print the two figures."""
    records = islice(make_records(), count)
    export = Export(title="a large scan", generated_at=AT, version="0")
    before = time.process_time()
    consume(records if name == NOTHING else render_records(name, records, export))
    spent = time.process_time() - before
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(spent * 1_000_000 / count, memory_kb / 1_024)


def consume(values: Iterable[object]) -> None:
    for _ in values:
        pass


def make_records() -> Iterator[Record]:
    request = ScanRequest(name="large", targets=("10.0.0.0/8",))
    scan = Scan(
        scan_id=SCAN_ID,
        name="large",
        state=ScanState.DONE,
        requested_at=AT,
        cause_id="benchmark",
        request=request,
    )
    fields = ScanFields.of(scan)
    for finding in make_findings():
        yield build_record(finding, scan, fields)


def make_findings() -> Iterator[Finding]:
    """Ten of each host."""
    service = Service(name="ssh", product="OpenSSH", version="9.2p1 Debian 2", method="probed", confidence=10)
    ports = tuple(Port(protocol="tcp", number=number, state="open", service=service) for number in PORTS)
    host = Host(state="up", reason="syn-ack", addresses=(Address("10.0.0.1", "ipv4"),), ports=ports)
    templates = list(build_findings(host, SCAN_ID, AT))
    for number in range(2**24):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        for template in templates:
            attributes = template.attributes | {"ip_addresses": [address]}
            yield replace(template, attributes=attributes, location=template.location.replace("10.0.0.1", address))


if __name__ == "__main__":
    match sys.argv[1:]:
        case [name, count]:
            render(name, int(count))
        case [count]:
            main(int(count))
        case _:
            main(FINDINGS)
