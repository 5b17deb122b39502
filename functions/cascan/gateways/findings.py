"""The findings of scans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.finding import Finding, FindingLine


class Findings(Protocol):
    """Findings, by the scan that produced them."""

    def put_findings(
        self,
        scan_id: str,
        findings: Iterable[Finding | FindingLine],
        source: ReportKey | None = None,
    ) -> None:
        """Store the findings under their ids, so that a repeat rewrites the same items.

        A finding longer than MAX_FINDING_BYTES is truncated, and names `source` as the report that
        has all of it.
        """

    def findings(self, scan_id: str) -> Iterator[Finding]:
        """The scan's findings, in order of their ids."""
