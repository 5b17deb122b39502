"""The history of scanned addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.history import Look, NetworkQuery
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval


class History(Protocol):
    """Every look at every address, by vantage. Scans may be removed; their looks stay."""

    def store_looks(
        self,
        looks: Iterable[Look],
        *,
        shared_ports: Collection[str] = (),
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        """Store the looks of one report. They may be stored already.

        `shared_ports`: lists of ports that most of the looks have.
        """

    def store_absences(
        self,
        source: ReportKey,
        family: int,
        intervals: Iterable[Interval],
        seen_at: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        """Store that every address in the intervals was not up, as the report `source` says."""

    def looks_until(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        since: datetime | None = None,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        """The looks at or before the moment, and not before `since`, the newest first.

        The addresses are all in one /24 of IPv4, or one /120 of IPv6.
        """

    def looks_after(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        """The looks after the moment, the oldest first. The addresses are as in `looks_until`."""

    def looks_until_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        """As `looks_until` for each of the queries. What most of them need is read at once."""

    def looks_after_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        """As `looks_after` for each of the queries, whose `since` does not matter."""

    def history_vantages(self) -> Iterator[str]:
        """The vantages that have looks, in order."""

    def remove_history(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> int:
        """Remove all looks at the addresses from `low` to `high`.

        Returns how many stored items were changed or removed. A report that is recorded at the same
        time, or again, may add looks.
        """
