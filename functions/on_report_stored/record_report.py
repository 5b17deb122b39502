"""A report, streamed from the bucket into the table: its findings, what the inventory learns, and the sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cascan.errors import UnreadableReport
from cascan.findings import build_findings
from cascan.findings.encoded.lines import lines_of
from cascan.gateways import ReportStore, ScanTable
from cascan.ids import ReportKey
from cascan.inventory.coverage import ScannedPorts, accounts_for_all
from cascan.inventory.observations import names_by_address
from cascan.model.finding import Finding, FindingLine
from cascan.model.host import Host
from cascan.model.recording import Place
from cascan.model.shard import Shard
from cascan.nmap.report.join_sections import join_sections
from cascan.nmap.report.read import ReportReader, read_report, resume_report
from cascan.rules.severity import RuleSet, to_rule_set
from on_report_stored.checkpoints import RecordingPass, RecordingStatus
from on_report_stored.inventory_updater import InventoryUpdater
from on_report_stored.report_summary import ReportSummary
from on_report_stored.scope_filter import ScopeFilter

FoundIn = Callable[[Host, str, datetime, dict[str, str]], Iterable[Finding | FindingLine]]
HOSTS_AT_ONCE = 256  # at most, read, then written
ENOUGH_HOSTS = 64  # to write them where the report can be read on
ENOUGH_PORTS = 4_096  # to write them at once: memory stays flat also where every port of every host is open


def record_report(
    key: ReportKey,
    shard: Shard,
    now: datetime,
    *,
    gate: ScopeFilter,
    reports: ReportStore,
    table: ScanTable,
    turn: RecordingPass | None = None,
) -> ReportSummary:
    """Write every finding of the hosts that `gate` lets in, and what the inventory has to know of them.

    Goes on where an earlier turn ended. A damaged report is read as far as it goes; none raises. Findings carry the
    name that the request used, where an address was scanned for a name. They are dated by the run, and judged by the
    operator's rules as they stand now.
    """
    turn = turn or RecordingPass(key, table)
    before = turn.before()
    answer = ReportSummary.up_to(before) if before else ReportSummary()
    if before and before.end:
        return answer
    run = shard.run
    seen_at = run.finished_at if run and run.finished_at else now
    folding = InventoryUpdater(key, seen_at, gate, table)
    if before:
        folding.go_on(before)
    with reports.open_report(key, before.place.offset if before else 0) as stream:
        try:
            report = resume_report(stream, before.place) if before else read_report(stream)
        except UnreadableReport as exc:
            answer.unreadable = str(exc)
            return answer
        writing = _Writing(key, answer, folding, report, names_by_address(run), _found_in(table))
        for hosts, place in _chunks(report):
            if hosts:
                writing.write(hosts)
            if place and turn.has_to_note and _ends(turn, place, answer, folding):
                return answer
    answer.complete, answer.exit, answer.errormsg = report.complete, report.exit, report.errormsg
    answer.hosts_total, answer.hosts_counted_up = report.hosts_total, report.hosts_up
    if accounts_for_all(run, answer):
        folding.finish(shard, answer.absent)
    return answer


@dataclass(slots=True)
class _Writing:
    """A report on its way into the table."""

    key: ReportKey
    answer: ReportSummary
    folding: InventoryUpdater
    report: ReportReader
    names: dict[str, str]
    found_in: FoundIn

    def write(self, hosts: list[Host]) -> None:
        """Write the hosts that may be recorded. Those that may not are counted, those of other shards passed over."""
        self.answer.add_elements(hosts)
        admitted = [(host, is_first) for host in hosts for is_first in self._admit(host)]
        recorded = [host for host, _ in admitted]
        firsts = {host.address for host, is_first in admitted if is_first}
        joined = list(join_sections(recorded))  # a target that was given twice has two elements
        findings = (finding for host in joined for finding in self._findings(host, is_first=host.address in firsts))
        self.folding.table.put_findings(self.key.scan_id, findings, self.key)
        self.folding.add(joined, ScannedPorts.from_scaninfo(self.report.scaninfo), self.names)
        self.answer.add_hosts(recorded, self.names)

    def _admit(self, host: Host) -> Iterator[bool]:
        """Whether the host is the first of its address in the report; nothing, where it is not to be recorded."""
        is_first, gate = self.folding.note(host), self.folding.gate
        if gate.is_left_to_others(host):
            return
        if reason := gate.find_refusal(host):
            self.answer.quarantine.take(host, reason)
        else:
            yield is_first

    def _findings(self, host: Host, *, is_first: bool) -> Iterator[Finding | FindingLine]:
        seen: set[str] = set()  # ids are of an address, so that others have others
        for finding in self.found_in(host, self.key.scan_id, self.folding.seen_at, self.names):
            if finding.id not in seen:
                seen.add(finding.id)
                if is_first:
                    self.answer.add_finding(finding)
                yield finding


def _ends(turn: RecordingPass, place: Place, answer: ReportSummary, folding: InventoryUpdater) -> bool:
    """Note how far the report is recorded. Whether this delivery ends with that."""
    is_up = turn.is_up
    recording = answer.recording(place, folding, ends_turn=is_up)
    if not turn.note(recording, folding.fresh_addresses()):
        answer.rest = RecordingStatus.SUPERSEDED
        return True
    folding.noted(recording)
    if is_up and answer.may_be_read_on:
        answer.rest = RecordingStatus.CONTINUE
    elif is_up:
        answer.give_up()
    return is_up


def _found_in(table: ScanTable) -> FoundIn:
    """How the findings of a host are made. Without rules nobody needs the values."""
    rule_set = to_rule_set(table.severity_rules())
    return _judged_by(rule_set) if rule_set.has_rules else lines_of


def _judged_by(rule_set: RuleSet) -> FoundIn:
    def found_in(host: Host, scan_id: str, seen_at: datetime, names: Mapping[str, str]) -> Iterator[Finding]:
        return map(rule_set.apply, build_findings(host, scan_id, seen_at, names))

    return found_in


def _chunks(report: ReportReader) -> Iterator[tuple[list[Host], Place | None]]:
    """The report's hosts in lists, each with the place behind it if the report can be read on from there."""
    chunk: list[Host] = []
    ports, read_to, is_enough = 0, report.read_to, False
    for host in report:
        if report.read_to != read_to and (is_enough or len(chunk) >= ENOUGH_HOSTS):
            yield chunk, report.place
            chunk.clear()
            ports, is_enough = 0, False
        read_to = report.read_to
        chunk.append(host)
        ports += len(host.ports)
        if len(chunk) == HOSTS_AT_ONCE or ports >= ENOUGH_PORTS:
            yield chunk, None
            chunk.clear()  # before the next host is read, which may be as large
            ports, is_enough = 0, ports >= ENOUGH_PORTS
    if chunk:
        yield chunk, None  # the report's end belongs to them
