"""Checkpoints of reports that take longer to record than a function may run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.recording import Recording
from cascan.nmap.intervals import Interval


class Recordings(Protocol):
    """How far each report has been recorded."""

    def recording(self, source: ReportKey) -> Recording | None:
        """The report's checkpoint, read consistently. None: there is none."""

    def recorded_addresses(self, source: ReportKey, recording: Recording) -> Iterator[Interval]:
        """The addresses, as numbers, of all host elements before the checkpoint."""

    def store_recording(
        self, source: ReportKey, recording: Recording, addresses: Iterable[Interval], writer: str
    ) -> bool:
        """Store the checkpoint, with the addresses of its last stretch. `writer`: one delivery.

        False: the stored checkpoint is further, or another writer's checkpoint is equally far. It
        stays as it is.
        """
