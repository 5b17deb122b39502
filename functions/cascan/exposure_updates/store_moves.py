"""Exposures that changed: stored, their moves announced, and the moves marked as announced.

A move is stored before its event is put on the bus, and stays pending until then. If a process ends
in between, the next one that reads the exposure announces the move again, under the same event id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.events import build_exposure_event
from cascan.gateways import EventBus, Exposures
from cascan.limits import MAX_EXPOSURE_WRITES
from cascan.model.exposure import Exposure
from cascan.model.scan import Scan

Change = Callable[[Exposure], Exposure]


class MoveTable(Exposures, Protocol):
    """Where exposures are stored, and the scans whose looks move them."""

    def get_scan(self, scan_id: str) -> Scan | None:
        """The scan, read consistently. None: there is none."""


def change_exposure(table: Exposures, exposure: Exposure, change: Change) -> Exposure:
    """The exposure after the change, stored; as it was if the change changes nothing.

    An exposure that no look has shown is not stored. Where another writer was faster, the change is
    made again to what that writer stored. `exposure`: as it was read; revision 0: it may be new.

    Raises: GatewayUnavailable: other writers were faster MAX_EXPOSURE_WRITES times.
    """
    for _ in range(MAX_EXPOSURE_WRITES):
        changed = change(exposure)
        if changed == exposure or changed.is_new:
            return exposure
        stored = replace(changed, revision=exposure.revision + 1)
        if table.put_exposure(stored):
            return stored
        exposure = table.get_exposure(exposure.exposure_id) or exposure
    raise GatewayUnavailable(f"exposure {exposure.exposure_id}: other writers kept changing it")


def announce_moves(table: MoveTable, bus: EventBus, exposures: Iterable[Exposure]) -> list[Exposure]:
    """Announce the pending moves of the exposures. Returns the exposures without them.

    The scan of a look is read once, however many moves it made. One that has been removed leaves
    its fields empty.
    """
    exposures = list(exposures)
    pending = [exposure for exposure in exposures if exposure.pending]
    if not pending:
        return exposures
    scan_ids = {move.scan_id for exposure in pending for move in exposure.pending if move.scan_id}
    scans = {scan_id: table.get_scan(scan_id) for scan_id in sorted(scan_ids)}
    bus.put(
        build_exposure_event(exposure, move, scans.get(move.scan_id))
        for exposure in pending
        for move in exposure.pending
    )
    return list(_forget_moves(table, exposures))


def _forget_moves(table: Exposures, exposures: Iterable[Exposure]) -> Iterator[Exposure]:
    for exposure in exposures:
        announced = replace(exposure, pending=(), revision=exposure.revision + 1)
        # Otherwise another writer has changed it, who announces the moves too
        yield announced if exposure.pending and table.put_exposure(announced) else exposure
