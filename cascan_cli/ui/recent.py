"""What several pages in a row need: the latest scans, and a search index that is up to date."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from cascan.limits import MAX_CONSOLE_SCANS
from cascan.queries.scope_coverage import AskedTargets

if TYPE_CHECKING:
    from cascan.gateways import Scans
    from cascan.model.scan import Scan

FRESH_S = 10.0  # one page after the other, with other filters, reads the scans once


class Recent:
    """Reads again after FRESH_S, or once a scan has ended that a page showed live."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._lock = seconds, Lock()
        self._scans: list[Scan] = []
        self.targets = AskedTargets()
        self._listed_at = self._index_updated_at = float("-inf")

    def list_scans(self, table: Scans) -> list[Scan]:
        """The MAX_CONSOLE_SCANS latest scans, as they were within the last FRESH_S."""
        with self._lock:
            now = self._seconds()
            if now - self._listed_at > FRESH_S:
                self._scans, self._listed_at = list(table.list_scans(MAX_CONSOLE_SCANS)), now
            return self._scans

    def needs_index_update(self) -> bool:
        """True: the caller brings the search index up to date."""
        with self._lock:
            now = self._seconds()
            is_old = now - self._index_updated_at > FRESH_S
            self._index_updated_at = now if is_old else self._index_updated_at
            return is_old

    def forget(self) -> None:
        """A scan has ended."""
        with self._lock:
            self._listed_at = self._index_updated_at = float("-inf")
