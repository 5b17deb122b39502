"""What follows the end of a shard: the next one starts; after the last the outcome is summed, and the bus hears of it.

A delivery may break off between any two of these writes; the next one finds the scan as it stands and goes on.
"""

from __future__ import annotations

from typing import TypedDict

from cascan.clock import Clock
from cascan.events import BusEvent, ScanCancelled, ScanCompleted, ScanFailed, build_event_fields
from cascan.gateways import EventBus, ScanTable, ShardQueues
from cascan.ids import derive_event_id
from cascan.model.reason import Reasons, merge_reasons
from cascan.model.scan import ACCOUNTED, FINAL_STATES, Outcome, Scan, ScanState, combine_outcomes
from cascan.model.shard import ShardClosing
from cascan.scans.agenda import expiry_entry
from cascan.scans.release import release_waiting


class ClosingGateways(TypedDict):
    """What the functions here reach for, as their keyword arguments."""

    table: ScanTable
    queues: ShardQueues
    bus: EventBus
    clock: Clock


NO_HOST_IN_TIME = "the time ran out before any host was found"
ENDED_STATES = FINAL_STATES | {ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING}


def close_shard(
    scan_id: str,
    number: int,
    closing: ShardClosing,
    *,
    table: ScanTable,
    queues: ShardQueues,
    bus: EventBus,
    clock: Clock,
) -> Scan | None:
    """Close the shard, and the scan with its last one. The scan as it stands then; None: there is no such scan."""
    table.close_shard(scan_id, number, closing)  # False: an earlier delivery did; the scan may still need its end
    return settle_scan(scan_id, table=table, queues=queues, bus=bus, clock=clock, error=closing.error_description)


def settle_scan(
    scan_id: str, *, table: ScanTable, queues: ShardQueues, bus: EventBus, clock: Clock, error: str = ""
) -> Scan | None:
    """Start what waits while shards are open; else end the scan, and announce the end if nobody has.

    Safe to repeat at any point.
    """
    scan = table.get_scan(scan_id)
    if scan is None:
        return None
    if scan.shards_open > 0:
        release_waiting(scan, table=table, queues=queues, clock=clock)
        return scan
    is_cancelled = scan.state is ScanState.CANCELLED
    if scan.state not in ENDED_STATES or (is_cancelled and scan.outcome is None):
        reasons = collect_reasons(scan, table)
        outcome = combine_outcomes(scan.shard_outcomes, reasons)
        state, description = ScanState.PARSE_COMPLETED, ""
        if is_cancelled:
            state, description = ScanState.CANCELLED, scan.error_description or error
        elif _nothing_in_time(scan):
            state, description = ScanState.ERRORED, NO_HOST_IN_TIME
        elif outcome is Outcome.FAILED:
            state, description = ScanState.ERRORED, error
        table.close_scan(scan_id, state, outcome, clock(), description, reasons=reasons)
        scan = table.get_scan(scan_id) or scan
    announce_end(scan, table=table, bus=bus)
    return scan


def collect_reasons(scan: Scan, table: ScanTable) -> Reasons:
    """Why the scan is not complete: the reasons of its closed shards, in order of their numbers.

    That an empty corner of a network did not answer is none, unless nothing else is to be said.
    """
    kinds = {kind for kind, count in scan.shard_outcomes.items() if count > 0}
    if Outcome.COMPLETE in kinds and kinds <= ACCOUNTED:
        return Reasons()
    ignored = {Outcome.COMPLETE} if kinds <= ACCOUNTED else ACCOUNTED
    return merge_reasons(shard.reasons for shard in table.shards(scan.scan_id) if shard.outcome not in ignored)


def _nothing_in_time(scan: Scan) -> bool:
    """Every shard ran out of time, and no host was seen: there is no answer that could be called done."""
    kinds = {kind for kind, count in scan.shard_outcomes.items() if count > 0}
    return kinds == {Outcome.TIMED_OUT} and not scan.hosts_up


def announce_end(scan: Scan, *, table: ScanTable, bus: EventBus) -> None:
    """Put the scan's end on the bus, once or, after a crash, again under the same event id."""
    if scan.announced:
        return
    bus.put([build_end_event(scan)])
    if entry := expiry_entry(scan):
        table.add_to_agenda(entry)
    table.mark_announced(scan.scan_id)


def build_end_event(scan: Scan) -> BusEvent:
    """The event that says how the scan ended."""
    at = scan.finished_at or scan.requested_at
    if scan.state is ScanState.ERRORED:
        failed = derive_event_id(scan.scan_id, "failed")
        return ScanFailed(
            **build_event_fields(scan, at=at),
            event_id=failed,
            reason=scan.error_description,
            refused=scan.shards == 0,
            reasons=scan.reasons,
        )
    if scan.state is ScanState.CANCELLED:
        cancelled = derive_event_id(scan.scan_id, "cancelled")
        return ScanCancelled(
            **build_event_fields(scan, at=at), event_id=cancelled, reason=scan.error_description, reasons=scan.reasons
        )
    return ScanCompleted(
        **build_event_fields(scan, at=at),
        event_id=derive_event_id(scan.scan_id, "completed"),
        state=scan.state,
        outcome=scan.outcome or Outcome.PARTIAL,
        requested_at=scan.requested_at,
        finished_at=at,
        addresses=scan.total_addresses,
        shards=scan.shards,
        shard_outcomes=scan.shard_outcomes,
        hosts_up=scan.hosts_up,
        findings=scan.findings,
        cascades=scan.request is not None and scan.request.cascades is not None,
        changes=scan.changes,
        reasons=scan.reasons,
    )
