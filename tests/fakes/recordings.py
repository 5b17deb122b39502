"""The part of MemoryScanTable that is about reports which are recorded in several turns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cascan.ids import ReportKey
from cascan.model.recording import Recording
from cascan.nmap.intervals import Interval


class MemoryRecordings:
    def __init__(self) -> None:
        super().__init__()
        self.recordings: dict[ReportKey, Recording] = {}
        self.writers: dict[ReportKey, str] = {}
        self.addresses_by_stretch: dict[tuple[ReportKey, tuple[int, int]], tuple[Interval, ...]] = {}

    def _reach(self) -> None:
        raise NotImplementedError

    def recording(self, source: ReportKey) -> Recording | None:
        self._reach()
        return self.recordings.get(source)

    def recorded_addresses(self, source: ReportKey, recording: Recording) -> Iterator[Interval]:
        self._reach()
        return iter(
            [one for stretch in recording.stretches for one in self.addresses_by_stretch.get((source, stretch), ())]
        )

    def store_recording(
        self, source: ReportKey, recording: Recording, addresses: Iterable[Interval], writer: str
    ) -> bool:
        self._reach()
        if recording.stretches and (last := tuple(addresses)):
            self.addresses_by_stretch[source, recording.stretches[-1]] = last
        stored = self.recordings.get(source)
        is_own = stored and (stored.progress, self.writers[source]) == (recording.progress, writer)
        if stored and not is_own and stored.progress >= recording.progress:
            return False
        self.recordings[source], self.writers[source] = recording, writer
        return True
