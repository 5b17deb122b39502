"""What a report held, summed up while it was read: by one turn, or by several with a note between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from cascan.inventory.observations import Absence, interpret_absence
from cascan.limits import MAX_LISTED_REASONS, MAX_RECORDING_PASSES
from cascan.model.finding import Finding, FindingLine
from cascan.model.host import Host
from cascan.model.recording import Place, PublishedChanges, Recording, ReportEnd
from cascan.model.scan import Counts
from cascan.rules.severity import to_count_key
from on_report_stored.checkpoints import RecordingStatus
from on_report_stored.inventory_updater import InventoryUpdater
from on_report_stored.scope_filter import Quarantine


class ReportSummary(Struct):
    """What a report held, summed up while it was read. A host that stands twice in it is counted once."""

    unreadable: str = ""  # why it is no report at all
    complete: bool = False  # the document is there to its end
    exit: str | None = None  # nmap's own word for it
    errormsg: str = ""
    hosts_total: int | None = None
    hosts_counted_up: int | None = None  # by nmap, which leaves hosts out of the list; None: it did not get to count
    rest: RecordingStatus = RecordingStatus.DONE  # what is not recorded yet; then nothing else of this is final
    given_up: str = ""  # why nobody records the rest
    turns: int = 0  # that came before this one
    hosts_read: int = 0
    hosts_up: int = 0
    hosts_timed_out: int = 0
    timed_out_addresses: list[str] = field(default_factory=list)  # the first of them
    named_up: list[str] = field(default_factory=list)  # addresses of names that are up
    elements_up: int = 0  # host elements that are up, recorded or not
    elements_unasked: int = 0  # host elements of a list scan (-sL), which asks nobody
    quarantine: Quarantine = field(default_factory=Quarantine)
    told: PublishedChanges = field(default_factory=PublishedChanges)  # of the changes, by earlier turns
    findings: int = 0
    severities: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)

    @classmethod
    def up_to(cls, recording: Recording) -> ReportSummary:
        """The sum as an earlier turn noted it."""
        kept_out = dict.fromkeys(recording.quarantined_addresses)
        end = recording.end or ReportEnd()
        return cls(
            complete=end.complete,
            exit=end.exit,
            errormsg=end.errormsg,
            hosts_total=end.hosts_total,
            hosts_counted_up=end.hosts_counted_up,
            given_up=end.given_up,
            told=recording.told,
            turns=recording.turns,
            hosts_read=recording.hosts_read,
            hosts_up=recording.hosts_up,
            hosts_timed_out=recording.hosts_timed_out,
            timed_out_addresses=list(recording.timed_out_addresses),
            named_up=list(recording.named_up),
            elements_up=recording.elements_up,
            elements_unasked=recording.elements_unasked,
            quarantine=Quarantine(recording.quarantined, kept_out, recording.quarantine_reason),
            findings=recording.findings,
            severities=Counter(recording.severities),
            categories=Counter(recording.categories),
        )

    @property
    def may_be_read_on(self) -> bool:
        """Another turn may read what this one leaves."""
        return self.turns + 1 < MAX_RECORDING_PASSES

    @property
    def may_go_on(self) -> bool:
        """Another turn may tell what this one has left to tell; the reading had as many."""
        return self.turns + 1 < 2 * MAX_RECORDING_PASSES

    def give_up(self) -> None:
        """Nobody reads the rest."""
        self.given_up = f"it took more than {MAX_RECORDING_PASSES} turns; {self.hosts_read} hosts of it are recorded"

    def told_recording(self, told: PublishedChanges, size: int, *, ends_turn: bool) -> Recording:
        """The sum as it is to be noted once the report is read, and so much of its changes told."""
        end = ReportEnd(
            complete=self.complete,
            exit=self.exit,
            errormsg=self.errormsg,
            hosts_total=self.hosts_total,
            hosts_counted_up=self.hosts_counted_up,
            given_up=self.given_up,
        )
        return replace(self._recording(Place(offset=size), ends_turn=ends_turn), end=end, told=told)

    def recording(self, place: Place, folding: InventoryUpdater, *, ends_turn: bool) -> Recording:
        """The sum as it is to be noted at this place of the report."""
        noted = folding.stretches_to(place.offset)
        return replace(self._recording(place, ends_turn=ends_turn), recorded=folding.recorded, noted=noted)

    def _recording(self, place: Place, *, ends_turn: bool) -> Recording:
        return Recording(
            place=place,
            turns=self.turns + ends_turn,
            hosts_read=self.hosts_read,
            hosts_up=self.hosts_up,
            hosts_timed_out=self.hosts_timed_out,
            timed_out_addresses=tuple(self.timed_out_addresses),
            named_up=tuple(self.named_up),
            elements_up=self.elements_up,
            elements_unasked=self.elements_unasked,
            findings=self.findings,
            severities=dict(self.severities),
            categories=dict(self.categories),
            quarantined=self.quarantine.count,
            quarantined_addresses=tuple(self.quarantine.addresses),
            quarantine_reason=self.quarantine.reason,
        )

    def add_finding(self, finding: Finding | FindingLine) -> None:
        self.findings += 1
        self.severities[to_count_key(finding) if isinstance(finding, Finding) else finding.severity] += 1
        self.categories[finding.category] += 1

    @property
    def unlisted_up(self) -> int:
        """Hosts that nmap counts as up and has no element for: with --open those without an open port."""
        return max(0, (self.hosts_counted_up or 0) - self.elements_up)

    @property
    def hosts_answered(self) -> int:
        """The hosts that were up, whether nmap lists them or only counts them."""
        return self.hosts_up + self.unlisted_up

    @property
    def absent(self) -> Absence:
        """What it means that the report has no element for an address."""
        return interpret_absence(
            counted_up=self.hosts_counted_up,
            elements_up=self.elements_up,
            elements_unasked=self.elements_unasked,
        )

    def add_elements(self, hosts: Iterable[Host]) -> None:
        """Count every host element, also of hosts that are not recorded."""
        for host in hosts:
            self.elements_up += host.state == "up"
            self.elements_unasked += host.state == "unknown"

    def add_hosts(self, hosts: Iterable[Host], names: Container[str] = ()) -> None:
        """Count hosts that are recorded; `names` holds the addresses that were asked for a name."""
        for host in hosts:
            self.hosts_read += 1
            self.hosts_up += host.state == "up"
            if host.state == "up" and host.address in names:
                self.named_up.append(host.address)
            if host.timed_out:
                self.hosts_timed_out += 1
                if len(self.timed_out_addresses) < MAX_LISTED_REASONS:
                    self.timed_out_addresses.append(host.address)

    def counts(self) -> Counts:
        return Counts(count=self.findings, severities=dict(self.severities), categories=dict(self.categories))
