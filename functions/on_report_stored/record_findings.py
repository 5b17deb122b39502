"""A stored report → findings and inventory; the shard is closed, and its scan with the last one.

Hosts that the shard did not scan, or that the scope does not allow now, are announced and not
recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest

from msgspec.structs import replace

from cascan.clock import TimeLeft, no_time_limit
from cascan.errors import MalformedMessage
from cascan.events import (
    BusEvent,
    ChangeCounts,
    FindingsRecorded,
    HostQuarantined,
    ReportStored,
    build_event_fields,
)
from cascan.gateways import (
    ReportResults,
    ReportStore,
    ScanGateways,
    ScanLifecycle,
    Shards,
)
from cascan.ids import PROOF, ReportKey, derive_event_id, derive_report_proof
from cascan.inventory.identities import IdentityRules
from cascan.inventory.scanned_addresses import extra_addresses, named_addresses
from cascan.limits import MAX_GENERATIONS
from cascan.log_context import add_log_context
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Shard, ShardClosing, ShardState
from cascan.model.usage import Usage
from cascan.permissions.scope import Scope
from cascan.recovery.scan_records import ReportedShard, store_run
from cascan.scans.close import close_shard, settle_scan
from cascan.scans.release import find_shard_token
from on_report_stored.checkpoints import RETRY_AFTER_S, RecordingStatus, RecordingTurn
from on_report_stored.cut_reported_shard import cut_reported_shard, send_remainder
from on_report_stored.judge import Verdict, judge
from on_report_stored.publish_changes import ChangeAnnouncer, publish_changes
from on_report_stored.record_report import record_report
from on_report_stored.report_summary import NO_COUNTS, ReportSummary, summarize
from on_report_stored.scope_filter import ScopeFilter

# The shard's lease until then, beside the time that any report has
NEXT_TURN = timedelta(minutes=2)
SUPERSEDED_BY_ATTEMPT = "superseded by a later attempt"
NOTHING_RECORDED = summarize(NO_COUNTS)


@dataclass(frozen=True, slots=True)
class RecordingOutcome:
    """What came of a stored report, for the log."""

    scan_id: str
    shard: int
    hosts: int
    findings: int
    quarantined: int  # hosts that were kept out
    outcome: str
    scan_state: str
    # The message is to be sent again, to be received after so long; None: it is not
    after_s: int | None = None


def record_findings(
    stored: ReportStored,
    gateways: ScanGateways,
    *,
    scope: Scope,
    reports: ReportStore,
    results: ReportResults,
    left_s: TimeLeft = no_time_limit,
    is_rebuild: bool = False,
    has_expectations: Callable[[], bool] = lambda: False,
) -> RecordingOutcome:
    """Write the report's findings, update the inventory, publish what changed, close the report's
    shard.

    `left_s` says how much time there is; a report that needs more is continued with the next
    delivery. A repeat rewrites the same items, announces the same events and counts once.

    `has_expectations`: whether a file of expected exposure is stored, which the event says.

    `is_rebuild`: the report has a record, which a function made when it was first recorded.

    Raises: MalformedMessage: a key that no worker mints, of a shard that was not planned, or of an
    attempt that was not started; a worker stored it that does not have the shard's message; what the
    worker says of its run does not fit the shard.
    """
    key, table, clock = stored.report, gateways.table, gateways.clock
    add_log_context(scan_id=key.scan_id, shard=key.shard, attempt=key.attempt)
    scan, shard = _find_scan_and_shard(stored, table)
    add_log_context(trace_id=scan.trace_id)
    if not is_rebuild:
        send_remainder(shard, scan, gateways)
    # An earlier delivery closed it, and may have gone no further
    if shard.state not in OPEN_STATES:
        settled = settle_scan(scan.scan_id, gateways, error=shard.error_description)
        return _build_outcome(settled or scan, shard, NOTHING_RECORDED, shard.outcome or "")
    if _is_superseded(shard, key):
        return _build_outcome(scan, shard, NOTHING_RECORDED, SUPERSEDED_BY_ATTEMPT)
    if not is_rebuild:
        _require_proof(key, scan, reports)
        shard = cut_reported_shard(shard, scan, gateways)
        if shard.cut or shard.state not in OPEN_STATES:  # a later attempt has it, or its scan is over
            return _build_outcome(scan, shard, NOTHING_RECORDED, SUPERSEDED_BY_ATTEMPT)
        _record_run(shard, table, reports)
    if scan.shards_open == 1:
        table.advance_scan(
            scan.scan_id,
            ScanState.PARSING,
            expected=[ScanState.INIT, ScanState.SCANNING],
        )

    as_seen = replace(scan, vantage=shard.seen_from(scan))
    scope_filter = ScopeFilter(shard, scope, tuple(find_remainders(shard, table)))
    turn = RecordingTurn(key, results, stored.size, left_s)
    summary, status = record_report(
        key,
        shard,
        clock(),
        scope_filter=scope_filter,
        reports=reports,
        table=results,
        turn=turn,
        vantage=as_seen.vantage,
        identity_rules=_find_identity_rules(scan),
    )
    announcer = ChangeAnnouncer(as_seen, shard.number, stored.key, _cause_id(stored))
    if status is RecordingStatus.DONE:
        status = publish_changes(announcer, gateways.bus, turn, summary)
    if status is RecordingStatus.CONTINUE:
        table.beat(key.scan_id, key.shard, key.attempt, lease_until=clock() + NEXT_TURN)
    if status is not RecordingStatus.DONE:
        return _build_outcome(scan, shard, summary, status, RETRY_AFTER_S.get(status))

    return _announce_and_close(stored, shard, summary, announcer, gateways, exposures=has_expectations())


def _announce_and_close(
    stored: ReportStored,
    shard: Shard,
    summary: ReportSummary,
    announcer: ChangeAnnouncer,
    gateways: ScanGateways,
    *,
    exposures: bool,
) -> RecordingOutcome:
    """Judge the report as a whole, announce what it brought, and close its shard."""
    scan, verdict = announcer.scan, judge(shard, summary)
    changes = announcer.sum_changes()
    events = _build_events(scan, shard, stored, verdict, summary, changes=changes, exposures=exposures)
    gateways.bus.put([*announcer.pending, *events])
    closing = _build_closing(
        shard,
        verdict,
        summary,
        announcer.counts,
        _counted_elsewhere(shard, gateways.table),
        usage=shard.total_usage(gateways.clock()) + Usage(report_bytes=stored.size),
    )
    closed = close_shard(scan.scan_id, shard.number, closing, gateways)
    return _build_outcome(closed or scan, shard, summary, verdict.outcome)


def _find_scan_and_shard(stored: ReportStored, table: ScanLifecycle) -> tuple[Scan, Shard]:
    """Raises: MalformedMessage: there is no such shard, or no such attempt at it."""
    key = stored.report
    scan, shard = table.get_scan(key.scan_id), table.get_shard(key.scan_id, key.shard)
    if scan is None or shard is None:
        raise MalformedMessage(f"{stored.key}: nobody planned this shard")
    if key.attempt > shard.attempt:
        raise MalformedMessage(f"{stored.key}: attempt {key.attempt} was never started")
    return scan, shard


def _record_run(shard: Shard, table: Shards, reports: ReportStore) -> None:
    """Store the record of the run before anything is recorded of its report."""
    number = shard.remainder
    remainder = None if number is None else table.get_shard(shard.scan_id, number)
    if shard.run:
        store_run(reports, ReportedShard(replace(shard, lease_until=None, progress=None), remainder))


def _require_proof(key: ReportKey, scan: Scan, reports: ReportStore) -> None:
    """Raises: MalformedMessage: whoever stored the report does not have the shard's message."""
    token = find_shard_token(scan, key.shard)
    if not token:  # an earlier version stored the shard
        return
    proof = reports.report_metadata(key).get(PROOF, "")
    if not compare_digest(proof.encode(), derive_report_proof(token, key.attempt).encode()):
        raise MalformedMessage(f"{key}: a worker stored it that does not have the shard's message")


def _find_identity_rules(scan: Scan) -> IdentityRules:
    identity = scan.request.identity if scan.request else None
    return IdentityRules.from_scan(identity, scan.identities)


def _cause_id(stored: ReportStored) -> str:
    return stored.event_id or stored.key


def _is_superseded(shard: Shard, key: ReportKey) -> bool:
    """A later attempt at the shard wrote another report."""
    return shard.run is not None and key.attempt < shard.run.attempt


def find_remainders(shard: Shard, table: Shards) -> Iterator[Shard]:
    """What was cut off from the shard, and from that, as far as it goes."""
    remainder: Shard | None = shard
    for _ in range(MAX_GENERATIONS):
        if remainder is None or remainder.remainder is None:
            return
        remainder = table.get_shard(remainder.scan_id, remainder.remainder)
        if remainder:
            yield remainder


def _counted_elsewhere(shard: Shard, table: Shards) -> frozenset[str]:
    """The addresses that several names share, and that another shard of the scan has counted
    already.
    """
    named = named_addresses(shard)
    return table.count_addresses(shard.scan_id, shard.number, named) if named else frozenset()


def _build_outcome(
    scan: Scan, shard: Shard, summary: ReportSummary, outcome: str, after_s: int | None = None
) -> RecordingOutcome:
    return RecordingOutcome(
        scan_id=scan.scan_id,
        shard=shard.number,
        hosts=summary.hosts_read,
        findings=summary.findings,
        quarantined=summary.quarantined,
        outcome=outcome,
        scan_state=scan.state,
        after_s=after_s,
    )


def _build_closing(
    shard: Shard,
    verdict: Verdict,
    summary: ReportSummary,
    changes: Mapping[str, int],
    counted_elsewhere: frozenset[str],
    *,
    usage: Usage,
) -> ShardClosing:
    return ShardClosing(
        state=ShardState.FAILED if verdict.outcome is Outcome.FAILED else ShardState.RECORDED,
        outcome=verdict.outcome,
        severities=summary.severities,
        categories=summary.categories,
        findings=summary.findings,
        hosts_up=summary.hosts_answered - len(counted_elsewhere.intersection(summary.named_up)),
        changes=dict(changes),
        extra_addresses=extra_addresses(shard, counted_elsewhere),
        reasons=verdict.reasons,
        error_description=verdict.reasons.sentence,
        usage=usage,
    )


def _build_events(
    scan: Scan,
    shard: Shard,
    stored: ReportStored,
    verdict: Verdict,
    summary: ReportSummary,
    *,
    changes: ChangeCounts,
    exposures: bool,
) -> Iterator[BusEvent]:
    """What there is to announce: hosts that were kept out, if there were any, before what was
    recorded.
    """
    happened_at = (shard.run and shard.run.finished_at) or scan.requested_at
    common = build_event_fields(scan, at=happened_at, cause_id=_cause_id(stored))
    common |= {"shard": shard.number, "report_key": stored.key}
    if summary.quarantined:
        yield HostQuarantined(
            **common,
            event_id=derive_event_id(stored.key, "quarantined"),
            count=summary.quarantined,
            addresses=summary.quarantined_addresses,
            reason=summary.quarantine_reason,
        )
    yield FindingsRecorded(
        **common,
        event_id=derive_event_id(scan.scan_id, shard.number, "recorded"),
        outcome=verdict.outcome,
        hosts_up=summary.hosts_answered,
        findings=summary.finding_counts,
        reasons=verdict.reasons.at_shard(shard.number),
        changes=changes,
        exposures=exposures,
    )
