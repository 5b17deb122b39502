"""The part of MemoryScanTable that is about exposures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from ipaddress import ip_address

from cascan.model.exposure import Exposure, ExposureDay, ExposureState, StoredExpectations


class MemoryExposures:
    def __init__(self) -> None:
        super().__init__()
        self.stored_expectations: StoredExpectations | None = None
        self.exposures: dict[str, Exposure] = {}
        self.stored_exposure_day: ExposureDay | None = None
        self.confirmations: defaultdict[str, set[str]] = defaultdict(set)

    def _reach(self) -> None:
        raise NotImplementedError

    def expectations(self) -> StoredExpectations | None:
        self._reach()
        return self.stored_expectations

    def put_expectations(self, stored: StoredExpectations) -> bool:
        self._reach()
        version = self.stored_expectations.version if self.stored_expectations else 0
        if stored.version != version + 1:
            return False
        self.stored_expectations = stored
        return True

    def exposures_at(self, addresses: Collection[str], *, vantage: str) -> list[Exposure]:
        self._reach()
        found = [
            exposure
            for exposure in self.exposures.values()
            if exposure.subject.vantage == vantage and exposure.subject.address in addresses
        ]
        return sorted(found, key=lambda e: (int(ip_address(e.subject.address)), e.subject.key, e.subject.kind))

    def get_exposure(self, exposure_id: str) -> Exposure | None:
        self._reach()
        return self.exposures.get(exposure_id)

    def put_exposure(self, exposure: Exposure) -> bool:
        self._reach()
        current = self.exposures.get(exposure.exposure_id)
        if exposure.revision != (current.revision if current else 0) + 1:
            return False
        self.exposures[exposure.exposure_id] = exposure
        return True

    def list_exposures(self, state: ExposureState, *, after: str = "") -> Iterator[tuple[str, Exposure]]:
        self._reach()
        placed = (
            (f"{exposure.changed_at.isoformat() if exposure.changed_at else 0}#{exposure.exposure_id}", exposure)
            for exposure in self.exposures.values()
            if exposure.state is state
        )
        return iter(sorted((found for found in placed if found[0] > after), key=lambda found: found[0]))

    def exposure_day(self) -> ExposureDay | None:
        self._reach()
        return self.stored_exposure_day

    def put_exposure_day(self, day: ExposureDay) -> None:
        self._reach()
        self.stored_exposure_day = day

    def count_confirmations(self, scan_id: str, request: str, limit: int) -> bool:
        self._reach()
        counted = self.confirmations[scan_id]
        if request not in counted and len(counted) >= limit:
            return False
        counted.add(request)
        return True
