"""Scans of a small network, one report after the other, through the real recording: for tests of the inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cascan.clock import no_time_limit
from cascan.errors import GatewayUnavailable
from cascan.events import BusEvent, FindingsRecorded, HostChange, PortChange, ReportStored
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.shard import TargetSlice
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.permissions.scope import Scope
from on_report_stored.record_findings import RecordingOutcome, record_findings
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, a_run, a_scan, a_shard, claim, proven

SCOPE = Scope.of(["10.0.0.0/8", "2001:db8::/32", "example.test"])
Hosts = dict[str, tuple[int, ...]]  # address → its open ports
NETWORK = "10.0.0.0/29"
PORTS = "1-100"


def xml(
    hosts: Hosts,
    *,
    asked: str = PORTS,
    total: int = 8,
    reason: str = "echo-reply",
    end: str = "success",
    up: int | None = None,
) -> bytes:
    """A report as nmap writes it, of connect scans whose other ports are closed.

    `up`: how many hosts it counts as up; None: those that it lists.
    """
    service = '<service name="ssh" method="probed" conf="10"/>'
    elements = (
        f'<host><status state="up" reason="{reason}" reason_ttl="64"/>'
        f'<address addr="{address}" addrtype="{"ipv6" if ":" in address else "ipv4"}"/><ports>'
        + '<extraports state="closed" count="90">'
        + '<extrareasons reason="conn-refused" count="90" proto="tcp"/></extraports>'
        + "".join(
            f'<port protocol="tcp" portid="{port}"><state state="open" reason="syn-ack"/>{service}</port>'
            for port in ports
        )
        + "</ports></host>"
        for address, ports in hosts.items()
    )
    scaninfo = f'<scaninfo type="connect" protocol="tcp" numservices="1" services="{asked}"/>' if asked else ""
    counts = f'<hosts up="{len(hosts) if up is None else up}" down="0" total="{total}"/>'
    stats = f'<finished time="1" elapsed="1" exit="{end}"/>{counts}'
    return f'<nmaprun scanner="nmap">{scaninfo}{"".join(elements)}<runstats>{stats}</runstats></nmaprun>'.encode()


class World:
    """A table, a bus and a bucket through which scans go, one shard each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table, self.bus, self.reports = MemoryScanTable(), MemoryEventBus(), MemoryReportStore()

    def stored(self, hour: float, report: bytes, *, target: str = NETWORK, count: int = 8, **fields: Any) -> str:
        """A scan that ended in that hour, and whose report lies in the bucket: its key.

        `number`: of its shard, where it has several.
        """
        number = fields.pop("number", 0)
        scan_id = derive_scan_id(f"scan at {hour}")
        shard = {"slices": (TargetSlice(target, 0, count),), "addresses": count} | fields.pop("shard", {})
        scan = {"name": fields.pop("name", "lan"), "vantage": fields.pop("vantage", DEFAULT_VANTAGE)}
        scan |= {"request": fields.pop("request")} if "request" in fields else {}
        scan |= {"identities": fields.pop("identities", ()), "shards_open": fields.pop("shards_open", 1)}
        self.table.create_scan(a_scan(scan_id=scan_id, requested_at=at(hour), **scan))
        self.table.add_shards([a_shard(scan_id=scan_id, number=number, **shard)])
        claim(self.table, number, scan_id=scan_id)
        run = {"addresses": count, "finished_at": at(hour)} | fields
        self.table.report_shard(scan_id, number, 1, a_run(**run))
        path = self.folder / "report.xml"
        path.write_bytes(report)
        key = ReportKey(scan_id, number, 1)
        self.reports.put_report(key, path, proven(key))
        return str(key)

    def deliver(self, key: str, left_s: Callable[[], float] = no_time_limit) -> RecordingOutcome:
        stored = ReportStored(key=key, bucket="reports", size=len(self.reports.objects[key]), event_id=key)
        return record_findings(
            stored,
            ScanGateways(self.table, MemoryShardQueues(), self.bus, lambda: NOW),
            scope=SCOPE,
            reports=self.reports,
            left_s=left_s,
            results=self.table,
        )

    def scan(self, hour: float, report: bytes, **fields: Any) -> list[str]:
        """Store and deliver; what was announced, in words."""
        before = len(self.bus.events)
        self.deliver(self.stored(hour, report, **fields))
        return words(self.bus.events[before:])

    @property
    def summed(self) -> FindingsRecorded:
        return next(event for event in reversed(self.bus.events) if isinstance(event, FindingsRecorded))

    def outline(self) -> tuple[Any, ...]:
        """All that must be the same whatever happened on the way; revisions may differ."""
        records = self.table.hosts_by_address.items()
        hosts = {address: (r.latest, r.first_seen, r.last_seen, r.ports) for address, r in records}
        events = {event.event_id: event for event in self.bus.events}
        scans = {scan_id: (scan.state, scan.changes, scan.findings) for scan_id, scan in self.table.scans.items()}
        looks = dict(self.table.looks_by_vantage), dict(self.table.absences_by_vantage)
        return hosts, self.table.changes_by_key, self.table.asked_by_interval, events, scans, looks


class Breaking:
    """Makes every gateway of a world fail at one call, counted from 0: as if the function died right before it."""

    def __init__(self, world: World, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.fired = call, False
        for gateway in (world.table, world.bus, world.reports):
            monkeypatch.setattr(gateway, "_reach", self.reach)

    def reach(self) -> None:
        self.fired = self.fired or self.left == 0
        self.left -= 1
        if self.left == -1:
            raise GatewayUnavailable("it died")


def at(hour: float) -> datetime:
    return NOW + timedelta(hours=hour)


def words(events: Iterable[BusEvent]) -> list[str]:
    return [
        f"{type(event).__name__} {event.address}" + (f":{event.port}" if isinstance(event, PortChange) else "")
        for event in events
        if isinstance(event, HostChange)
    ]
