"""A stored report → findings and inventory; the shard is closed, and its scan with the last one.

Hosts that the shard did not ask for, or that the scope does not allow now, are announced and not recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.errors import MalformedMessage
from cascan.events import BusEvent, FindingsRecorded, HostQuarantined, ReportStored, build_event_fields
from cascan.gateways import EventBus, ReportStore, ScanTable, ShardQueues
from cascan.ids import derive_event_id
from cascan.inventory.scanned_addresses import extra_addresses, named_addresses
from cascan.limits import MAX_GENERATIONS
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Shard, ShardClosing, ShardState
from cascan.permissions.scope import Scope
from cascan.scans.close import close_shard, settle_scan
from on_report_stored.checkpoints import RETRY_AFTER_S, RecordingPass, RecordingStatus
from on_report_stored.judge import Verdict, judge
from on_report_stored.publish_changes import ChangeAnnouncer, publish_changes
from on_report_stored.record_report import record_report
from on_report_stored.report_summary import ReportSummary
from on_report_stored.scope_filter import ScopeFilter

NEXT_TURN = timedelta(minutes=2)  # the shard is worked on that long, beside the time that any report has


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a stored report, for the log."""

    scan_id: str
    shard: int
    hosts: int
    findings: int
    quarantined: int  # hosts that were kept out
    outcome: str
    scan_state: str
    after_s: int | None = None  # its message is to be sent again, to be received after so long; None: it is not


def record_findings(
    stored: ReportStored,
    *,
    scope: Scope,
    reports: ReportStore,
    table: ScanTable,
    queues: ShardQueues,
    bus: EventBus,
    clock: Clock,
    left_s: TimeLeft = no_time_limit,
) -> Recorded:
    """Write the report's findings, fold it into the inventory, tell what changed, close its shard.

    `left_s` says how much time there is; a report that needs more goes on with the next delivery. A repeat rewrites the
    same items, announces the same events and counts once.

    Raises: MalformedMessage: a key that no worker mints, of a shard nobody planned, or an attempt nobody started.
    """
    key = stored.report
    scan, shard = table.get_scan(key.scan_id), table.get_shard(key.scan_id, key.shard)
    if scan is None or shard is None:
        raise MalformedMessage(f"{stored.key}: nobody planned this shard")
    if key.attempt > shard.attempt:
        raise MalformedMessage(f"{stored.key}: attempt {key.attempt} was never started")
    if shard.state not in OPEN_STATES:  # an earlier delivery closed it, and may have gone no further
        error = shard.error_description
        settled = settle_scan(scan.scan_id, table=table, queues=queues, bus=bus, clock=clock, error=error) or scan
        return Recorded(scan.scan_id, shard.number, 0, 0, 0, shard.outcome or "", settled.state)
    if shard.run and key.attempt < shard.run.attempt:
        return Recorded(scan.scan_id, shard.number, 0, 0, 0, "superseded by a later attempt", scan.state)
    if scan.shards_open == 1:
        table.advance_scan(scan.scan_id, ScanState.PARSING, expected=[ScanState.INIT, ScanState.SCANNING])
    gate = ScopeFilter(shard, scope, tuple(_remainders(shard, table)))
    turn = RecordingPass(key, table, stored.size, left_s)
    answer = record_report(key, shard, clock(), gate=gate, reports=reports, table=table, turn=turn)
    outcome, reasons = judge(shard, answer)
    news = ChangeAnnouncer(scan, shard.number, stored.key, stored.event_id or stored.key)
    rest = answer.rest or publish_changes(news, bus, turn, answer)
    hosts, found, kept_out = answer.hosts_read, answer.findings, answer.quarantine.count
    if rest:
        if rest is RecordingStatus.CONTINUE:
            table.beat(key.scan_id, key.shard, key.attempt, lease_until=clock() + NEXT_TURN)
        return Recorded(scan.scan_id, shard.number, hosts, found, kept_out, rest, scan.state, RETRY_AFTER_S.get(rest))
    bus.put([*news.pending, *_events(scan, shard, stored, (outcome, reasons), answer, news=news)])
    elsewhere = _counted_elsewhere(shard, table)
    closing = _closing(shard, (outcome, reasons), answer, news.counts, elsewhere=elsewhere)
    closed = close_shard(scan.scan_id, shard.number, closing, table=table, queues=queues, bus=bus, clock=clock) or scan
    return Recorded(scan.scan_id, shard.number, hosts, found, kept_out, outcome, closed.state)


def _remainders(shard: Shard, table: ScanTable) -> Iterator[Shard]:
    """What was cut off from the shard, and from that, as far as it goes."""
    rest: Shard | None = shard
    for _ in range(MAX_GENERATIONS):
        rest = table.get_shard(rest.scan_id, rest.remainder) if rest and rest.remainder is not None else None
        if rest is None:
            return
        yield rest


def _counted_elsewhere(shard: Shard, table: ScanTable) -> frozenset[str]:
    """The addresses that several names share, and that another shard of the scan has counted already."""
    named = named_addresses(shard)
    return table.count_addresses(shard.scan_id, shard.number, named) if named else frozenset()


def _closing(
    shard: Shard, verdict: Verdict, answer: ReportSummary, changes: Mapping[str, int], *, elsewhere: frozenset[str]
) -> ShardClosing:
    (outcome, reasons), counts = verdict, answer.counts()
    return ShardClosing(
        state=ShardState.FAILED if outcome is Outcome.FAILED else ShardState.RECORDED,
        outcome=outcome,
        severities=counts.severities,
        categories=counts.categories,
        findings=counts.count,
        hosts_up=answer.hosts_answered - len(elsewhere.intersection(answer.named_up)),
        changes=dict(changes),
        extra_addresses=extra_addresses(shard, elsewhere),
        reasons=reasons,
        error_description=reasons.sentence,
    )


def _events(
    scan: Scan,
    shard: Shard,
    stored: ReportStored,
    verdict: Verdict,
    answer: ReportSummary,
    *,
    news: ChangeAnnouncer,
) -> Iterator[BusEvent]:
    """What there is to announce: hosts that were kept out, if there were any, before what was recorded."""
    at = shard.run.finished_at if shard.run and shard.run.finished_at else scan.requested_at
    common = build_event_fields(scan, at=at, cause_id=stored.event_id or stored.key)
    common |= {"shard": shard.number, "report_key": stored.key}
    if kept_out := answer.quarantine.count:
        yield HostQuarantined(
            **common,
            event_id=derive_event_id(stored.key, "quarantined"),
            count=kept_out,
            addresses=tuple(answer.quarantine.addresses),
            reason=answer.quarantine.reason,
        )
    yield FindingsRecorded(
        **common,
        event_id=derive_event_id(scan.scan_id, shard.number, "recorded"),
        outcome=verdict[0],
        hosts_up=answer.hosts_answered,
        findings=answer.counts(),
        reasons=verdict[1].at_shard(shard.number),
        changes=news.summed(),
    )
