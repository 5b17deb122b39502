"""Since when a port is open or a host is up, added to records from the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from cascan.findings.by_host import find_address, find_port_key
from cascan.findings.hosts import CATEGORY as HOST
from cascan.findings.ports import OPEN_PORT
from cascan.formats.records import Record, ScanFields, build_record
from cascan.formats.select_records import ExportTable, select_scan_records
from cascan.gateways import Inventory
from cascan.model.finding import Finding
from cascan.model.inventory import FirstSeen
from cascan.model.scan import Scan
from cascan.nmap.addresses import is_address
from cascan.queries.finding_query import ALL_FINDINGS, FindingQuery

HOSTS_AT_ONCE = 100  # as many as one call reads
RECORDS_AT_ONCE = 1_000  # whose hosts are read together
PLACES = frozenset({HOST, OPEN_PORT})
HostKey = tuple[str, str]  # vantage and address


def add_first_seen(records: Iterable[Record], table: Inventory) -> Iterator[Record]:
    """The records in their order. Those of hosts and open ports get the time at which a scan saw that first.

    What scripts found has no such time: the inventory does not know it.
    """
    stream = iter(records)
    while batch := list(islice(stream, RECORDS_AT_ONCE)):
        keys = [_find_host(record) for record in batch]
        hosts = _read_hosts(filter(None, keys), table)
        for record, key in zip(batch, keys, strict=True):
            times = hosts.get(key) if key else None
            first_seen = _find_time(record.finding, times) if times else None
            yield replace(record, first_seen=first_seen) if first_seen else record


def select_dated_records(table: ExportTable, scan: Scan, query: FindingQuery) -> Iterator[Record]:
    """The records of the scan, likewise.

    Of all findings, hosts are looked up before their findings are decoded: to hold those of a hundred hosts takes
    longer than to decode them.
    """
    if scan.members or query != ALL_FINDINGS:
        yield from add_first_seen(select_scan_records(table, scan, query), table)
        return
    fields = ScanFields.of(scan)
    hosts = table.findings_by_host(scan.scan_id)
    while batch := list(islice(hosts, HOSTS_AT_ONCE)):
        known = _read_hosts(((scan.vantage, address) for address, _ in batch), table)
        for address, findings in batch:
            times = known.get((scan.vantage, address), {})
            for finding in findings:
                yield build_record(finding, scan, fields, _find_time(finding, times))


def _find_host(record: Record) -> HostKey | None:
    """None: the record is not about a host or an open port."""
    finding = record.finding
    return (record.vantage, find_address(finding)) if finding.category in PLACES else None


def _read_hosts(keys: Iterable[HostKey], table: Inventory) -> dict[HostKey, FirstSeen]:
    by_vantage: dict[str, list[str]] = {}
    for vantage, address in dict.fromkeys(keys):
        if is_address(address):
            by_vantage.setdefault(vantage, []).append(address)
    return {
        (vantage, address): times
        for vantage, addresses in by_vantage.items()
        for address, times in table.first_seen(addresses, vantage=vantage).items()
    }


def _find_time(finding: Finding, times: FirstSeen) -> datetime | None:
    if finding.category not in PLACES:
        return None
    key = find_port_key(finding)
    if key is None and finding.category != HOST:  # another version or a rule left the port out
        return None
    first_seen = times.get(None if finding.category == HOST else key)
    # The inventory may be younger than a scan, such as after addresses were forgotten
    return first_seen if first_seen is not None and first_seen <= finding.parsed_at else None
