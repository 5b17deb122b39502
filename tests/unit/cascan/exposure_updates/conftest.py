"""A stack in memory with a file of expected exposure, in which looks are recorded by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.exposure_updates.context import WatchContext
from cascan.exposure_updates.judge_hosts import JudgedHosts, judge_hosts
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.exposure import Exposure
from cascan.model.history import Look, NotOpenPorts, OpenPorts, SeenService
from cascan.model.inventory import UP, HostRecord, HostUpdate, PortRecord, Sighting
from cascan.rules.severity import RuleSet, SeverityRule
from tests.fakes import MemoryEventBus, MemoryScanTable

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOST = "10.0.0.9"
FILE = """
settings: {confirm: true}
groups:
  payments: {owner: payments@example.com, hosts: [10.0.0.9]}
expected:
  - {who: payments, ports: [443], service: https, why: front end}
"""


@dataclass
class Place:
    """What looks are recorded in."""

    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    now: datetime = NOON
    rules: tuple[SeverityRule, ...] = ()
    applied: str = ""  # what `cascan exposure apply` printed

    def look(
        self,
        hour: float,
        open_ports: Iterable[int] = (),
        *,
        service: str = "",
        is_up: bool = True,
        covered: str = "1-1000",
        vantage: str = "default",
        address: str = HOST,
    ) -> ReportKey:
        """Record one look of a run of its own."""
        seen_at, numbers = NOON + timedelta(hours=hour), sorted(open_ports)
        self.now = max(self.now, seen_at)
        key = ReportKey(derive_scan_id(f"scan at {hour}"), 0, 1)
        seen = SeenService(name=service, probed=bool(service))
        opened = tuple(OpenPorts("tcp", str(number), seen) for number in numbers)
        closed = (NotOpenPorts("tcp", covered, "closed"),)
        look = Look(
            address=address,
            seen_at=seen_at,
            is_up=is_up,
            open_ports=opened,
            not_open=closed if is_up else (),
            **key._asdict(),
        )
        self.table.store_looks([look], vantage=vantage)
        known = self.table.known_hosts([address], vantage=vantage).get(address)
        if known is None or known.latest.seen_at <= seen_at:
            self._save(known, look, numbers, key, vantage)
        return key

    def _save(self, known: HostRecord | None, look: Look, numbers: list[int], key: ReportKey, vantage: str) -> None:
        def sight(state: str) -> Sighting:
            return Sighting(state=state, seen_at=look.seen_at, scan_id=look.scan_id)

        ever = sorted({*numbers, *(port.port for port in known.ports)} if known else numbers)
        ports = tuple(
            PortRecord(
                protocol="tcp",
                port=number,
                latest=sight("open" if number in numbers else "closed"),
                first_seen=look.seen_at,
                last_seen=look.seen_at,
            )
            for number in ever
        )
        record = HostRecord(
            address=look.address,
            latest=sight(UP if look.is_up else "not up"),
            first_seen=look.seen_at,
            last_seen=look.seen_at,
            hostname="web.example.com",
            ports=ports,
            revision=known.revision if known else 0,
        )
        assert not self.table.save_hosts(key, [HostUpdate(record=record, known=known)], vantage=vantage)

    def open_context(self, text: str = FILE, version: int = 1) -> WatchContext:
        index = ExpectationIndex(read_exposure_file(text))
        return WatchContext(self.table, self.bus, lambda: self.now, version, index, RuleSet(self.rules))

    def judge(self, text: str = FILE, version: int = 1, address: str = HOST, **options: Any) -> JudgedHosts:
        options = {"vantage": "default"} | options
        return judge_hosts([address], self.open_context(text, version), **options)

    def states(self) -> dict[str, str]:
        """`23 unexpected-open` → state."""
        return {f"{each.subject.port} {each.subject.kind}": each.state.value for each in self.table.exposures.values()}

    def find(self, kind: str) -> Exposure:
        return next(each for each in self.table.exposures.values() if each.subject.kind == kind)

    @property
    def events(self) -> list[str]:
        return [type(event).__name__.removeprefix("Exposure") for event in self.bus.events]


@pytest.fixture
def place() -> Place:
    return Place()
