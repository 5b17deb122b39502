"""Whether a file of expected exposure is stored: a small read, at most once a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cascan.clock import Clock
from cascan.gateways import Exposures

VALID_FOR = timedelta(minutes=1)


@dataclass(slots=True)
class ExpectationSwitch:
    table: Exposures
    clock: Clock
    _read_at: datetime | None = None
    _is_on: bool = False

    def is_on(self) -> bool:
        """A file that was stored within the last minute may not be known yet."""
        now = self.clock()
        if self._read_at is None or now - self._read_at > VALID_FOR:
            # The daily check is stored with the first file, and is a much smaller item
            self._read_at, self._is_on = now, self.table.exposure_day() is not None
        return self._is_on
