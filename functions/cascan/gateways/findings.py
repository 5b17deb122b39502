"""The findings of scans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.finding import Finding, HostFindings


class Findings(Protocol):
    """Findings, by the scan that produced them."""

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        """Store the findings of hosts, as the report `source` has them.

        A repeat rewrites the same items. A finding longer than MAX_FINDING_BYTES is truncated, and
        names `source` as the report that has all of it.
        """

    def findings(self, scan_id: str) -> Iterator[Finding]:
        """The scan's findings, each once: in order of the hosts' addresses, then as they were put.

        Of two with the same id, the one of the later report counts. A scan that an earlier version
        accepted has them in order of their ids, until it is migrated.
        """
