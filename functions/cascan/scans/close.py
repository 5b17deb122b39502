"""Close a shard, and then release the next ones or close the scan.

The scan is closed after its last shard, and its end is announced on the bus.

An invocation may end between any two of these writes; the next one reads the scan and continues.
"""

from __future__ import annotations

from typing import Protocol

from cascan.cost.actual import add_costs, compute_cost
from cascan.events import BusEvent, ScanCancelled, ScanCompleted, ScanFailed, build_event_fields
from cascan.gateways import ScanGateways, Scans, Shards
from cascan.ids import derive_event_id
from cascan.model.reason import Reasons, merge_reasons
from cascan.model.scan import ACCOUNTED, FINAL_STATES, Outcome, Scan, ScanState, combine_outcomes
from cascan.model.shard import ShardClosing, ShardState
from cascan.model.usage import ScanCost
from cascan.scans.agenda import expiry_entry
from cascan.scans.release import release_waiting

NO_HOST_IN_TIME = "the time ran out before any host was found"
ENDED_STATES = FINAL_STATES | {ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING}


class ScansAndShards(Scans, Shards, Protocol):
    """Both parts of the table."""


def close_shard(
    scan_id: str,
    number: int,
    closing: ShardClosing,
    gateways: ScanGateways,
) -> Scan | None:
    """Close the shard, and the scan if it was the last open one; the scan afterwards.

    None: there is no such scan.
    """
    # If an earlier delivery closed the shard, the scan may still be open.
    gateways.table.close_shard(scan_id, number, closing)
    return settle_scan(scan_id, gateways, error=closing.error_description)


def settle_scan(scan_id: str, gateways: ScanGateways, *, error: str = "") -> Scan | None:
    """Release waiting shards; if no shard is open, close the scan and announce its end.

    Safe to repeat at any point.

    The scan afterwards; None: there is no such scan. `error` describes a failure that the shards do
    not explain.
    """
    table = gateways.table
    scan = table.get_scan(scan_id)
    if scan is None:
        return None
    if scan.shards_open > 0:
        release_waiting(scan, gateways)
        return scan
    if _lacks_outcome(scan):
        reasons = collect_reasons(scan, table)
        outcome = combine_outcomes(scan.shard_outcomes, reasons)
        state, description = _choose_final_state(scan, outcome, error)
        cost = scan.cost or _find_cost(scan, table)  # a rebuild knows it
        table.close_scan(scan_id, state, outcome, gateways.clock(), description, reasons=reasons, cost=cost)
        scan = table.get_scan(scan_id) or scan
    announce_end(scan, gateways)
    return scan


def _find_cost(scan: Scan, table: Scans) -> ScanCost | None:
    """What the scan has cost; a scan with members, what they have cost together."""
    if not scan.members:
        return compute_cost(scan)
    members = filter(None, map(table.get_scan, scan.members))
    return add_costs(member.cost for member in members)


def _lacks_outcome(scan: Scan) -> bool:
    is_cancelled = scan.state is ScanState.CANCELLED
    return scan.outcome is None if is_cancelled else scan.state not in ENDED_STATES


def _choose_final_state(scan: Scan, outcome: Outcome, error: str) -> tuple[ScanState, str]:
    """The state, and the error that explains it."""
    if scan.state is ScanState.CANCELLED:
        return ScanState.CANCELLED, scan.error_description or error
    if _timed_out_without_hosts(scan):
        return ScanState.ERRORED, NO_HOST_IN_TIME
    if outcome is Outcome.FAILED:
        return ScanState.ERRORED, error
    return ScanState.PARSE_COMPLETED, ""


def collect_reasons(scan: Scan, table: ScansAndShards) -> Reasons:
    """Why the scan is not complete: the reasons of its closed shards, by shard number.

    A shard where nothing answered adds its reason only if all shards are like that. A scan with
    members has theirs.
    """
    kinds = {kind for kind, count in scan.shard_outcomes.items() if count > 0}
    if Outcome.COMPLETE in kinds and kinds <= ACCOUNTED:
        return Reasons()
    if scan.members:
        members = filter(None, map(table.get_scan, scan.members))
        return merge_reasons(member.reasons for member in members)
    ignored = {Outcome.COMPLETE} if kinds <= ACCOUNTED else ACCOUNTED
    shards = table.shards(scan.scan_id)
    return merge_reasons(shard.reasons for shard in shards if shard.outcome not in ignored)


def _timed_out_without_hosts(scan: Scan) -> bool:
    """Every shard timed out and no host was found, so there is no result at all."""
    kinds = {kind for kind, count in scan.shard_outcomes.items() if count > 0}
    return kinds == {Outcome.TIMED_OUT} and not scan.hosts_up


def announce_end(scan: Scan, gateways: ScanGateways) -> None:
    """Put the scan's end on the bus; after a crash perhaps again, with the same event id.

    The end of a member is counted in the scan that it is a member of, which may end with it.
    """
    if scan.member_of:
        gateways.table.count_member(scan, _close_member(scan))
        # Also where it was counted before: that delivery may have ended there
        settle_scan(scan.member_of, gateways, error=scan.error_description)
    if scan.announced:
        return
    gateways.bus.put([build_end_event(scan)])
    if entry := expiry_entry(scan):
        gateways.table.add_to_agenda(entry)
    gateways.table.mark_announced(scan.scan_id)


def _close_member(scan: Scan) -> ShardClosing:
    """What an ended member adds to the scan that it is a member of."""
    return ShardClosing(
        state=ShardState.CANCELLED if scan.state is ScanState.CANCELLED else ShardState.RECORDED,
        outcome=scan.outcome or Outcome.FAILED,
        severities=scan.findings.severities,
        categories=scan.findings.categories,
        findings=scan.findings.count,
        hosts_up=scan.hosts_up,
        changes=scan.changes,
        extra_addresses=scan.extra_addresses,
        usage=scan.usage,
    )


def build_end_event(scan: Scan) -> BusEvent:
    """ScanCompleted, ScanFailed or ScanCancelled, depending on the state."""
    ended_at = scan.finished_at or scan.requested_at
    if scan.state is ScanState.ERRORED:
        failed = derive_event_id(scan.scan_id, "failed")
        return ScanFailed(
            **build_event_fields(scan, at=ended_at),
            event_id=failed,
            reason=scan.error_description,
            refused=scan.shards == 0,
            reasons=scan.reasons,
        )
    if scan.state is ScanState.CANCELLED:
        cancelled = derive_event_id(scan.scan_id, "cancelled")
        return ScanCancelled(
            **build_event_fields(scan, at=ended_at),
            event_id=cancelled,
            reason=scan.error_description,
            reasons=scan.reasons,
        )
    return ScanCompleted(
        **build_event_fields(scan, at=ended_at),
        event_id=derive_event_id(scan.scan_id, "completed"),
        state=scan.state,
        outcome=scan.outcome or Outcome.PARTIAL,
        requested_at=scan.requested_at,
        finished_at=ended_at,
        addresses=scan.total_addresses,
        shards=scan.shards,
        shard_outcomes=scan.shard_outcomes,
        hosts_up=scan.hosts_up,
        findings=scan.findings,
        # What follows a scan of several vantages follows its members
        cascades=not scan.members and scan.request is not None and scan.request.cascades is not None,
        changes=scan.changes,
        reasons=scan.reasons,
        members=scan.members,
        cost=scan.cost,
    )
