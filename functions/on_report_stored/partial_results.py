"""Where a report that is parsed again leaves its results: only its findings, or only its looks."""

# ruff: noqa: ARG002 - FindingsAlone has the methods of a protocol, and ignores most arguments
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cascan.gateways import FindingReplacement, History, SeverityRules
from cascan.ids import ReportKey
from cascan.model.finding import Finding, HostFindings
from cascan.model.history import Look, NetworkQuery
from cascan.model.inventory import Change, FirstSeen, HostRecord, HostUpdate, InventoryQuery, Sighting
from cascan.model.recording import Recording
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval
from cascan.rules.severity import StoredRules


@dataclass(slots=True)
class FindingsAlone:
    """ReportResults that stores findings, knows no host, and drops what belongs to inventory and history."""

    replacement: FindingReplacement
    rules: SeverityRules

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        self.replacement.put(hosts, source)

    def replace_findings(self, scan_id: str) -> FindingReplacement:
        return self.replacement

    def findings(self, scan_id: str) -> Iterator[Finding]:
        return iter(())

    def severity_rules(self) -> StoredRules | None:
        return self.rules.severity_rules()

    def put_severity_rules(self, stored: StoredRules) -> bool:
        return False

    def known_hosts(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, HostRecord]:
        return {}

    def first_seen(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, FirstSeen]:
        return {}

    def save_hosts(
        self, source: ReportKey, updates: Iterable[HostUpdate], *, vantage: str = DEFAULT_VANTAGE
    ) -> list[str]:
        return []

    def known_addresses(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[str]:
        return iter(())

    def hosts(self, sought: InventoryQuery, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[HostRecord]:
        return iter(())

    def note_asked(
        self, family: int, intervals: Iterable[Interval], asked: Sighting, *, vantage: str = DEFAULT_VANTAGE
    ) -> None: ...

    def asked(
        self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE
    ) -> Iterator[tuple[Interval, Sighting]]:
        return iter(())

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        return iter(())

    def recording(self, source: ReportKey) -> Recording | None:
        return None

    def recorded_addresses(self, source: ReportKey, recording: Recording) -> Iterator[Interval]:
        return iter(())

    def store_recording(
        self, source: ReportKey, recording: Recording, addresses: Iterable[Interval], writer: str
    ) -> bool:
        return True

    def store_looks(
        self, looks: Iterable[Look], *, shared_ports: Collection[str] = (), vantage: str = DEFAULT_VANTAGE
    ) -> None:
        for _ in looks:  # the iterator may count the looks that are taken from it
            pass

    def store_absences(
        self,
        source: ReportKey,
        family: int,
        intervals: Iterable[Interval],
        seen_at: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None: ...

    def looks_until(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        since: datetime | None = None,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        return iter(())

    def looks_after(
        self, addresses: Collection[str], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> Iterator[Look]:
        return iter(())

    def looks_until_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        return [iter(()) for _ in queries]

    def looks_after_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        return [iter(()) for _ in queries]

    def history_vantages(self) -> Iterator[str]:
        return iter(())

    def remove_history(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> int:
        return 0


class NoReplacement:
    """A FindingReplacement that stores nothing."""

    def put(self, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None: ...

    def remove_others(self) -> None: ...


@dataclass(slots=True)
class LooksAlone(FindingsAlone):
    """ReportResults that stores looks, and makes no findings."""

    history: History
    looks: int = 0

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None: ...

    def store_looks(
        self, looks: Iterable[Look], *, shared_ports: Collection[str] = (), vantage: str = DEFAULT_VANTAGE
    ) -> None:
        listed = list(looks)
        self.history.store_looks(listed, shared_ports=shared_ports, vantage=vantage)
        self.looks += len(listed)

    def store_absences(
        self,
        source: ReportKey,
        family: int,
        intervals: Iterable[Interval],
        seen_at: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        self.history.store_absences(source, family, intervals, seen_at, vantage=vantage)
