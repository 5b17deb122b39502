"""A report, streamed from the bucket into the table: its findings, what the inventory learns, and
the summary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import asdict

from cascan.errors import UnreadableReport
from cascan.findings import build_findings
from cascan.findings.encoded.lines import lines_of
from cascan.gateways import ReportResults, ReportStore, SeverityRules
from cascan.ids import ReportKey
from cascan.inventory.coverage import ScannedPorts, accounts_for_all
from cascan.inventory.identities import IdentityRules
from cascan.inventory.observations import names_by_address
from cascan.log_context import add_log_context
from cascan.model.finding import Finding, FindingLine, HostFindings
from cascan.model.host import Host
from cascan.model.recording import Place, Recording, ReportEnd
from cascan.model.shard import Shard
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.report.join_sections import join_sections
from cascan.nmap.report.read import ReportReader, read_report, resume_report
from cascan.rules.severity import RuleSet, to_rule_set
from on_report_stored.checkpoints import RecordingStatus, RecordingTurn
from on_report_stored.inventory_updater import BY_ADDRESS, InventoryUpdater
from on_report_stored.report_summary import NO_COUNTS, ReportCounter, ReportSummary, summarize
from on_report_stored.scope_filter import ScopeFilter

FindingSource = Callable[[Host, str, datetime, dict[str, str]], Iterable[Finding | FindingLine]]
HOSTS_AT_ONCE = 256  # at most, read, then written
ENOUGH_HOSTS = 64  # to write them where the report can be read on
# To write them at once: memory stays flat also where every port of every host is open
ENOUGH_PORTS = 4_096


class RecordedReport(NamedTuple):
    """What a turn recorded. The summary is final once the status is DONE."""

    summary: ReportSummary
    status: RecordingStatus = RecordingStatus.DONE


def record_report(
    key: ReportKey,
    shard: Shard,
    now: datetime,
    *,
    scope_filter: ScopeFilter,
    reports: ReportStore,
    table: ReportResults,
    turn: RecordingTurn | None = None,
    vantage: str = DEFAULT_VANTAGE,
    identity_rules: IdentityRules = BY_ADDRESS,
) -> RecordedReport:
    """Write every finding of the hosts that `scope_filter` admits, and what the inventory has to
    know of them.

    Reads on where an earlier turn ended. A damaged report is read as far as it goes; none raises.
    Findings carry the name that the request used, where an address was scanned for a name. They are
    dated by the run, and judged by the operator's rules as they are now. `vantage`: whose inventory
    and history it is. `identity_rules`: how the inventory knows the hosts.
    """
    turn = turn or RecordingTurn(key, table)
    previous = turn.previous
    if previous and previous.end:  # an earlier turn read all of it, and left changes to publish
        return RecordedReport(summarize(previous, previous.end))
    updater = InventoryUpdater(
        key,
        _seen_at(shard, now),
        scope_filter,
        table,
        began_at=shard.run.started_at if shard.run else None,
        vantage=vantage,
        identity_rules=identity_rules,
    )
    counter = ReportCounter(previous or NO_COUNTS)
    if previous:
        updater.resume(previous)
    with reports.open_report(key, previous.place.offset if previous else 0) as stream:
        try:
            report = resume_report(stream, previous.place) if previous else read_report(stream)
        except UnreadableReport as exc:
            return RecordedReport(summarize(counter.counts, unreadable=str(exc)))
        names, find = names_by_address(shard.run), _choose_finding_source(table)
        ended_early = _record_hosts(_HostWriter(key, counter, updater, report, names, find), turn)
    if updater.unidentified:
        add_log_context(hosts_without_identity=updater.unidentified)
    if ended_early:
        return ended_early
    end = _read_end(report)
    summary = summarize(counter.counts, end)
    if accounts_for_all(shard.run, end):
        updater.finish(shard, summary.absence)
    return RecordedReport(summary)


def _seen_at(shard: Shard, now: datetime) -> datetime:
    """When the run ended; a worker of an earlier version did not say."""
    return shard.run.finished_at if shard.run and shard.run.finished_at else now


def _record_hosts(writer: _HostWriter, turn: RecordingTurn) -> RecordedReport | None:
    """Write the report's hosts. What the turn ends with before the report does; None: it read all
    of it.
    """
    for hosts, place in _batches(writer.report, writer.places):
        if hosts:
            writer.write(hosts)
        if place and turn.is_checkpoint_due:
            ended_early = _save_checkpoint(turn, place, writer.counter, writer.updater)
            if ended_early:
                return ended_early
    return None


def _read_end(report: ReportReader) -> ReportEnd:
    return ReportEnd(
        complete=report.complete,
        exit=report.exit,
        errormsg=report.errormsg,
        hosts_total=report.hosts_total,
        hosts_counted_up=report.hosts_up,
    )


@dataclass(slots=True)
class _HostWriter:
    """Writes a report's hosts into the table."""

    key: ReportKey
    counter: ReportCounter
    updater: InventoryUpdater
    report: ReportReader
    names: dict[str, str]  # by address
    find: FindingSource
    # By address: first byte and number of bytes of the host's last element in the batch
    places: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    def write(self, hosts: list[Host]) -> None:
        """Write the hosts that may be recorded. Others are counted as quarantined, or left to
        another shard.
        """
        place = self.counter.hosts_read
        self.counter.add_elements(hosts)
        admitted = [(host, is_new) for host in hosts for is_new in self._admit(host)]
        recorded = [host for host, _ in admitted]
        new_addresses = {host.address for host, is_new in admitted if is_new}
        joined = list(join_sections(recorded))  # a target that was given twice has two elements
        findings = (
            HostFindings(
                host.address or host.mac, self._find(host, is_new=host.address in new_addresses), place + index
            )
            for index, host in enumerate(joined)
        )
        self.updater.table.put_findings(self.key.scan_id, findings, self.key)
        self.updater.add(joined, ScannedPorts.from_scaninfo(self.report.scaninfo), self.names, self.places)
        self.places.clear()
        self.counter.add_hosts(recorded, self.names)

    def _admit(self, host: Host) -> Iterator[bool]:
        """Whether the host is the first of its address in the report; nothing, where it is not to
        be recorded.
        """
        is_new = self.updater.add_element(host)
        scope_filter = self.updater.scope_filter
        if scope_filter.is_reassigned(host):
            return
        if reason := scope_filter.find_refusal(host):
            self.counter.add_quarantined(host, reason)
        else:
            yield is_new

    def _find(self, host: Host, *, is_new: bool) -> Iterator[Finding | FindingLine]:
        seen_ids: set[str] = set()  # an id includes the address, so other hosts have other ids
        for finding in self.find(host, self.key.scan_id, self.updater.seen_at, self.names):
            if finding.id not in seen_ids:
                seen_ids.add(finding.id)
                if is_new:
                    self.counter.add_finding(finding)
                yield finding


def _save_checkpoint(
    turn: RecordingTurn, place: Place, counter: ReportCounter, updater: InventoryUpdater
) -> RecordedReport | None:
    """Store how far the report is recorded. What the turn ends with; None: it reads on."""
    is_time_up = turn.is_time_up
    counts = counter.counts
    stretches = updater.stretches_to(place.offset)
    checkpoint = Recording(
        place=place,
        recorded=updater.recorded,
        stretches=stretches,
        **asdict(counts),
    )
    if not turn.save_checkpoint(checkpoint, updater.new_addresses(), ends_turn=is_time_up):
        return RecordedReport(summarize(counts), RecordingStatus.SUPERSEDED)
    updater.start_stretch(checkpoint)
    if not is_time_up:
        return None
    if turn.may_read_on_later:
        return RecordedReport(summarize(counts), RecordingStatus.CONTINUE)
    given_up = turn.explain_limit(counts.hosts_read)
    return RecordedReport(summarize(counts, ReportEnd(given_up=given_up)))


def _choose_finding_source(table: SeverityRules) -> FindingSource:
    """How the findings of a host are made. Without severity rules encoded lines suffice, which cost
    less.
    """
    rule_set = to_rule_set(table.severity_rules())
    return _apply_rules(rule_set) if rule_set.has_rules else lines_of


def _apply_rules(rule_set: RuleSet) -> FindingSource:
    def find(
        host: Host,
        scan_id: str,
        seen_at: datetime,
        names: Mapping[str, str],
    ) -> Iterator[Finding]:
        return map(rule_set.apply, build_findings(host, scan_id, seen_at, names))

    return find


def _batches(
    report: ReportReader, places: dict[str, tuple[int, int] | None]
) -> Iterator[tuple[list[Host], Place | None]]:
    """The report's hosts in lists, each with the place right after it if the report can be read on
    from there.

    `places`: takes the places of the hosts, by address.
    """
    batch: list[Host] = []
    ports, read_to, is_enough = 0, report.read_to, False
    for host in report:
        if report.read_to != read_to and (is_enough or len(batch) >= ENOUGH_HOSTS):
            yield batch, report.place
            batch.clear()
            ports, is_enough = 0, False
        read_to = report.read_to
        batch.append(host)
        places[host.address] = report.host_place
        ports += len(host.ports)
        if len(batch) == HOSTS_AT_ONCE or ports >= ENOUGH_PORTS:
            yield batch, None
            batch.clear()  # before the next host is read, which may be as large
            ports, is_enough = 0, ports >= ENOUGH_PORTS
    if batch:
        yield batch, None  # the report's end belongs to them
