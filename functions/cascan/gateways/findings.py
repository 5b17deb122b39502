"""Findings of scans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.finding import Finding, FindingLine


class Findings(Protocol):
    """Findings, by scan."""

    def put_findings(
        self, scan_id: str, findings: Iterable[Finding | FindingLine], source: ReportKey | None = None
    ) -> None:
        """Keyed by the finding's id: a repeat rewrites the same items. One beyond MAX_FINDING_BYTES is cut down, and
        says that `source` has the whole of it.
        """

    def findings(self, scan_id: str) -> Iterator[Finding]:
        """In order of their id."""
