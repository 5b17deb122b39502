"""Reports that take longer to record than a function may run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.recording import Recording
from cascan.nmap.intervals import Interval


class Recordings(Protocol):
    """How far reports are recorded."""

    def recording(self, source: ReportKey) -> Recording | None:
        """How far the report is recorded, read consistently; None: there is no record."""

    def recorded_addresses(self, source: ReportKey, recording: Recording) -> Iterator[Interval]:
        """The addresses of the host elements before its place, as numbers."""

    def store_recording(
        self, source: ReportKey, recording: Recording, addresses: Iterable[Interval], writer: str
    ) -> bool:
        """Note how far the report is recorded, with the addresses of its last stretch.

        False: another writer recorded as much, or any writer more, and that stays. `writer` names one delivery.
        """
