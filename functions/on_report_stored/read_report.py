"""A report, streamed from the bucket into the table: its findings, what the inventory learns, and the sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cascan.coverage import AskedPorts, accounts_for_all
from cascan.errors import UnreadableReport
from cascan.findings import findings_of
from cascan.findings.lines import lines_of
from cascan.gateways import ReportStore, ScanTable
from cascan.ids import ReportKey
from cascan.model.finding import Finding, FindingLine
from cascan.model.host import Host
from cascan.model.scan import Counts
from cascan.model.shard import Shard
from cascan.nmap.report import read_report
from cascan.severity import Judge, counted_as, judge_of
from cascan.sightings import names_in
from on_report_stored.quarantine import Gate, Quarantine
from on_report_stored.record_inventory import Folding

FoundIn = Callable[[Host, str, datetime, dict[str, str]], Iterable[Finding | FindingLine]]
HOSTS_AT_ONCE = 64  # read, then written: memory stays flat however long the report


@dataclass(slots=True)
class Answer:
    """What a report held, summed up while it was read. A host that stands twice in it is counted once."""

    unreadable: str = ""  # why it is no report at all
    complete: bool = False  # the document is there to its end
    exit: str | None = None  # nmap's own word for it
    errormsg: str = ""
    hosts_total: int | None = None
    hosts_read: int = 0
    hosts_up: int = 0
    hosts_timed_out: int = 0
    quarantine: Quarantine = field(default_factory=Quarantine)
    finding_ids: set[str] = field(default_factory=set)
    severities: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)

    def is_new(self, finding: Finding | FindingLine) -> bool:
        """Count the finding. False: the report held it already."""
        if finding.id in self.finding_ids:
            return False
        self.finding_ids.add(finding.id)
        self.severities[counted_as(finding) if isinstance(finding, Finding) else finding.severity] += 1
        self.categories[finding.category] += 1
        return True

    def add_hosts(self, hosts: list[Host]) -> None:
        self.hosts_read += len(hosts)
        self.hosts_up += sum(host.state == "up" for host in hosts)
        self.hosts_timed_out += sum(host.timed_out for host in hosts)

    def admitted(self, hosts: Iterator[Host], gate: Gate) -> Iterator[Host]:
        """The hosts that may be recorded; those that may not are counted, those of other shards passed over."""
        for host in hosts:
            if gate.is_left_to_others(host):
                continue
            if reason := gate.refusal_of(host):
                self.quarantine.take(host, reason)
            else:
                yield host

    def counts(self) -> Counts:
        return Counts(count=len(self.finding_ids), severities=dict(self.severities), categories=dict(self.categories))


def read_into_table(
    key: ReportKey, shard: Shard, now: datetime, *, gate: Gate, reports: ReportStore, table: ScanTable
) -> Answer:
    """Write every finding of the hosts that `gate` lets in, and what the inventory has to know of them.

    A damaged report is read as far as it goes; none raises. Findings carry the name that the request used, where an
    address was scanned for a name. They are dated by the run, and judged by the operator's rules as they stand now.
    """
    answer, run, judge = Answer(), shard.run, judge_of(table.severity_rules())
    names = names_in(run)
    seen_at = run.finished_at if run and run.finished_at else now
    found_in = _judged_by(judge) if judge.has_rules else lines_of  # without rules nobody needs the values
    with reports.open_report(key) as stream:
        try:
            report = read_report(stream)
        except UnreadableReport as exc:
            answer.unreadable = str(exc)
            return answer
        folding = Folding(key, seen_at, gate, table)
        for hosts in _chunks(answer.admitted(_noted(report, folding), gate)):
            findings = (finding for host in hosts for finding in found_in(host, key.scan_id, seen_at, names))
            table.put_findings(key.scan_id, filter(answer.is_new, findings), key)
            folding.add(hosts, AskedPorts.in_report(report.scaninfo), names)
            answer.add_hosts(hosts)
    answer.complete, answer.exit, answer.errormsg = report.complete, report.exit, report.errormsg
    answer.hosts_total = report.hosts_total
    if accounts_for_all(run, answer):
        folding.finish(shard)
    return answer


def _judged_by(judge: Judge) -> FoundIn:
    def found_in(host: Host, scan_id: str, seen_at: datetime, names: Mapping[str, str]) -> Iterator[Finding]:
        return map(judge.judged, findings_of(host, scan_id, seen_at, names))

    return found_in


def _noted(hosts: Iterable[Host], folding: Folding) -> Iterator[Host]:
    """The hosts, each remembered as one that the report has."""
    for host in hosts:
        folding.note(host)
        yield host


def _chunks(hosts: Iterator[Host]) -> Iterator[list[Host]]:
    while chunk := [host for _, host in zip(range(HOSTS_AT_ONCE), hosts, strict=False)]:
        yield chunk
