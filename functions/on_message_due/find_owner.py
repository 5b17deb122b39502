"""The owner of a host: that of its group in the file of expected exposure. The file is read again after a while."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

from cascan.clock import Clock
from cascan.errors import RequestRefused
from cascan.exposure.expectations import ExposureFile, find_group_owner
from cascan.limits import OWNERS_READ_EVERY_S
from cascan.model.exposure import StoredExpectations


class ExpectationReader(Protocol):
    def expectations(self) -> StoredExpectations | None:
        """The operator's file, read consistently. None: none was stored."""


class OwnerFinder:
    """Finds the owners for messages about certificates and coverage, which have none themselves."""

    def __init__(self, table: ExpectationReader, clock: Clock) -> None:
        self._table, self._clock = table, clock
        self._file = ExposureFile()
        self._version = 0
        self._read_at: datetime | None = None

    def find_owner(self, address: str, names: Collection[str] = ()) -> str:
        """Empty: no group with an owner holds the host, or no file was stored."""
        now = self._clock()
        if self._read_at is None or now - self._read_at > timedelta(seconds=OWNERS_READ_EVERY_S):
            self._read_file()
            self._read_at = now
        try:
            return find_group_owner(self._file, address, names)
        except ValueError:  # a host without an address, known by its MAC address
            return ""

    def _read_file(self) -> None:
        """A file of another version that this one cannot read has no owners: messages go to all channels."""
        stored = self._table.expectations()
        if stored is None or stored.version == self._version:
            return
        from cascan.exposure.read_exposure_file import read_exposure_file  # noqa: PLC0415 - it imports YAML

        try:
            self._file = read_exposure_file(stored.text)
        except RequestRefused:
            self._file = ExposureFile()
        self._version = stored.version
