"""What a report held: counted while it is read, by one turn or by several, then only read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence

from msgspec.structs import asdict, replace

from cascan.inventory.observations import Absence, interpret_absence
from cascan.limits import MAX_ADDRESS_CHARS, MAX_LISTED_REASONS, MAX_QUARANTINED_ADDRESSES
from cascan.model.finding import Finding, FindingLine
from cascan.model.host import Host
from cascan.model.recording import ReportCounts, ReportEnd
from cascan.model.scan import Counts
from cascan.rules.severity import to_count_key

NAMELESS = "(no address)"
NO_COUNTS = ReportCounts()


class ReportSummary(ReportCounts, frozen=True, kw_only=True):
    """What a report held, and what it says of itself."""

    end: ReportEnd = ReportEnd()
    unreadable: str = ""  # why it is no report at all

    @property
    def unlisted_up(self) -> int:
        """Hosts that nmap counts as up and has no element for: with --open those without an open
        port.
        """
        return max(0, (self.end.hosts_counted_up or 0) - self.elements_up)

    @property
    def hosts_answered(self) -> int:
        """The hosts that were up, whether nmap lists them or only counts them."""
        return self.hosts_up + self.unlisted_up

    @property
    def absence(self) -> Absence:
        """What it means that the report has no element for an address."""
        return interpret_absence(
            counted_up=self.end.hosts_counted_up,
            elements_up=self.elements_up,
            elements_unasked=self.elements_unasked,
        )

    @property
    def finding_counts(self) -> Counts:
        return Counts(count=self.findings, severities=self.severities, categories=self.categories)


def summarize(
    counts: ReportCounts,
    end: ReportEnd | None = None,
    *,
    unreadable: str = "",
) -> ReportSummary:
    return ReportSummary(**asdict(counts.base), end=end or ReportEnd(), unreadable=unreadable)


class ReportCounter:
    """Counts what a report holds while it is read, on top of what earlier turns counted."""

    def __init__(self, earlier: ReportCounts = NO_COUNTS) -> None:
        self._hosts = earlier.base
        self._findings = earlier.findings
        self._severities = Counter(earlier.severities)
        self._categories = Counter(earlier.categories)

    @property
    def hosts_read(self) -> int:
        """The recorded hosts so far, with those of earlier turns."""
        return self._hosts.hosts_read

    def add_elements(self, hosts: Sequence[Host]) -> None:
        """Count every host element, also of hosts that are not recorded."""
        states = Counter(host.state for host in hosts)
        self._hosts = replace(
            self._hosts,
            elements_up=self._hosts.elements_up + states["up"],
            elements_unasked=self._hosts.elements_unasked + states["unknown"],
        )

    def add_hosts(self, hosts: Sequence[Host], names: Container[str] = ()) -> None:
        """Count recorded hosts; `names` holds the addresses that were scanned for a name."""
        counts = self._hosts
        addresses_up = [host.address for host in hosts if host.state == "up"]
        timed_out = [host.address for host in hosts if host.timed_out]
        listed = (*counts.timed_out_addresses, *timed_out)[:MAX_LISTED_REASONS]
        self._hosts = replace(
            counts,
            hosts_read=counts.hosts_read + len(hosts),
            hosts_up=counts.hosts_up + len(addresses_up),
            hosts_timed_out=counts.hosts_timed_out + len(timed_out),
            timed_out_addresses=listed,
            named_up=(*counts.named_up, *(address for address in addresses_up if address in names)),
        )

    def add_quarantined(self, host: Host, reason: str) -> None:
        """Count a host that is kept out of the table, in report order."""
        counts = self._hosts
        addresses = counts.quarantined_addresses
        if len(addresses) < MAX_QUARANTINED_ADDRESSES:
            shown = host.address[:MAX_ADDRESS_CHARS] or NAMELESS
            addresses = tuple(dict.fromkeys((*addresses, shown)))
        self._hosts = replace(
            counts,
            quarantined=counts.quarantined + 1,
            quarantined_addresses=addresses,
            quarantine_reason=counts.quarantine_reason or reason,
        )

    def add_finding(self, finding: Finding | FindingLine) -> None:
        severity = to_count_key(finding) if isinstance(finding, Finding) else finding.severity
        self._findings += 1
        self._severities[severity] += 1
        self._categories[finding.category] += 1

    @property
    def counts(self) -> ReportCounts:
        """The counts so far; they do not change when more is added."""
        return replace(
            self._hosts,
            findings=self._findings,
            severities=dict(self._severities),
            categories=dict(self._categories),
        )
