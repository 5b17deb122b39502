"""The file of expected exposure, and the exposures."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from cascan.model.exposure import Exposure, ExposureDay, ExposureState, StoredExpectations


class Exposures(Protocol):
    """Removing scans, hosts or history removes no exposure."""

    def expectations(self) -> StoredExpectations | None:
        """The operator's file, read consistently. None: none was stored."""

    def put_expectations(self, stored: StoredExpectations) -> bool:
        """Store the file over version `stored.version - 1`. False: another version is stored."""

    def exposures_at(self, addresses: Collection[str], *, vantage: str) -> list[Exposure]:
        """The exposures of the addresses, read consistently, in order of address, port and kind.

        The addresses are all in one /24 of IPv4, or one /120 of IPv6.
        """

    def get_exposure(self, exposure_id: str) -> Exposure | None:
        """The exposure, read consistently. None: there is none with this id."""

    def put_exposure(self, exposure: Exposure) -> bool:
        """Store the exposure over revision `exposure.revision - 1`; the first is 1.

        False: another revision is stored.
        """

    def list_exposures(self, state: ExposureState, *, after: str = "") -> Iterator[tuple[str, Exposure]]:
        """The exposures in a state, each with its place: those that came into it first come first.

        `after`: only those behind this place. A change may show a moment later.
        """

    def exposure_day(self) -> ExposureDay | None:
        """The daily check. None: no file was ever stored."""

    def put_exposure_day(self, day: ExposureDay) -> None:
        """Store the daily check, over an earlier one."""

    def count_confirmations(self, scan_id: str, request: str, limit: int) -> bool:
        """Count a confirmation scan that follows the scan. False: there are `limit` others.

        A request that is counted already is not counted again.
        """
