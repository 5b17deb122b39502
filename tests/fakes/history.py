"""The part of MemoryScanTable that is about the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from ipaddress import ip_address

from cascan.ids import ReportKey
from cascan.model.history import Look, NetworkQuery
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval, subtract_intervals

Absences = dict[tuple[ReportKey, int, datetime], tuple[Interval, ...]]


class MemoryHistory:
    def __init__(self) -> None:
        super().__init__()
        self.looks_by_vantage: defaultdict[str, dict[tuple[object, ...], Look]] = defaultdict(dict)
        self.absences_by_vantage: defaultdict[str, Absences] = defaultdict(dict)

    def _reach(self) -> None:
        raise NotImplementedError

    def store_looks(
        self,
        looks: Iterable[Look],
        *,
        shared_ports: Collection[str] = (),
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        for look in looks:
            self._reach()
            self.looks_by_vantage[vantage][look.order] = look

    def store_absences(
        self,
        source: ReportKey,
        family: int,
        intervals: Iterable[Interval],
        seen_at: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        self._reach()
        self.absences_by_vantage[vantage][source, family, seen_at] = tuple(intervals)

    def looks_until(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        since: datetime | None = None,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        looks = self._looks(addresses, vantage)
        return iter([look for look in reversed(looks) if (since or look.seen_at) <= look.seen_at <= moment])

    def looks_after(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        return iter([look for look in self._looks(addresses, vantage) if look.seen_at > moment])

    def looks_until_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        return [self.looks_until(addresses, moment, since=since, vantage=vantage) for addresses, since in queries]

    def looks_after_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        return [self.looks_after(addresses, moment, vantage=vantage) for addresses, _ in queries]

    def history_vantages(self) -> Iterator[str]:
        self._reach()
        return iter(sorted(self.looks_by_vantage.keys() | self.absences_by_vantage.keys()))

    def remove_history(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> int:
        self._reach()
        looks, removed = self.looks_by_vantage[vantage], 0
        for order, look in list(looks.items()):
            number = ip_address(look.address)
            if number.version == family and low <= int(number) <= high:
                del looks[order]
                removed += 1
        absences = self.absences_by_vantage[vantage]
        for key, intervals in list(absences.items()):
            if key[1] == family:
                absences[key] = subtract_intervals(intervals, ((low, high),))
                removed += absences[key] != intervals
        return removed

    def _looks(self, addresses: Collection[str], vantage: str) -> list[Look]:
        self._reach()
        looks = [look for look in self.looks_by_vantage[vantage].values() if look.address in addresses]
        for address in addresses:
            number = ip_address(address)
            for (source, family, seen_at), intervals in self.absences_by_vantage[vantage].items():
                if family == number.version and any(low <= int(number) <= high for low, high in intervals):
                    looks.append(Look(address=address, seen_at=seen_at, is_up=False, **source._asdict()))
        return sorted(looks, key=lambda look: look.order)
