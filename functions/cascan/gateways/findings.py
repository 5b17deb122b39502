"""The findings of scans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.finding import Finding, HostFindings


class FindingReplacement(Protocol):
    """New findings of a scan. Earlier ones stay until they are overwritten or removed."""

    def put(self, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        """Store the findings of hosts, as `Findings.put_findings` does."""

    def remove_others(self) -> None:
        """Remove everything that was not put through this replacement."""


class Findings(Protocol):
    """Findings, by the scan that produced them."""

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        """Store the findings of hosts, as the report `source` has them.

        A repeat rewrites the same items. A finding longer than MAX_FINDING_BYTES is truncated, and
        names `source` as the report that has all of it.
        """

    def replace_findings(self, scan_id: str) -> FindingReplacement:
        """Begin to replace all findings of the scan by others."""

    def findings(self, scan_id: str) -> Iterator[Finding]:
        """The scan's findings, each once: in order of the hosts' addresses, then as they were put.

        Of two with the same id, the one of the later report counts. A scan that an earlier version
        accepted has them in order of their ids, until it is migrated.
        """


class FindingsByHost(Protocol):
    """The findings of a scan, host by host, or of some hosts alone."""

    def findings_by_host(self, scan_id: str) -> Iterator[tuple[str, Iterable[Finding]]]:
        """Each host's address, and its findings, which are decoded when they are iterated over.

        All of them are the scan's findings in the order of `findings`. An address is empty if it is not known, and
        may occur again.
        """

    def findings_at(self, scan_id: str, addresses: Collection[str]) -> dict[str, list[Finding]]:
        """The scan's findings of hosts that share a /24 of IPv4 or a /120 of IPv6, by address.

        Empty for a scan that an earlier version accepted, until it is migrated.
        """
