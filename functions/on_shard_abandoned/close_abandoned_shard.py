"""Close a shard that is out of attempts as failed. If it was the last open shard, its scan ends."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ShardQueued
from cascan.gateways import ScanGateways
from cascan.log_context import add_log_context
from cascan.model.scan import Outcome, Scan
from cascan.model.shard import LOST, OPEN_STATES, Shard, ShardClosing, ShardState
from cascan.scans.close import close_shard, settle_scan


@dataclass(frozen=True, slots=True)
class AbandonedShard:
    """What was done for a dead letter, for the log."""

    scan_id: str
    shard: int
    attempts: int
    shard_state: str
    scan_state: str


def close_abandoned_shard(
    message: ShardQueued,
    message_id: str,
    gateways: ScanGateways,
) -> AbandonedShard:
    """Close the shard as failed, unless it is closed or has a newer message.

    A dead letter may be a duplicate: the shard waits, or a worker runs it by another message, which
    comes again if that worker dies. Raises: MalformedMessage: there is no such shard. ShardBusy: a
    worker runs the shard by this message.
    """
    add_log_context(scan_id=message.scan_id, shard=message.shard, trace_id=message.trace_id)
    scan = gateways.table.get_scan(message.scan_id)
    shard = gateways.table.get_shard(message.scan_id, message.shard)
    if scan is None or shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    # The last attempt succeeded, and only its message was not deleted
    if shard.state not in OPEN_STATES:
        error = shard.error_description
        settled = settle_scan(shard.scan_id, gateways, error=error) or scan
        return AbandonedShard(
            shard.scan_id,
            shard.number,
            shard.attempt,
            shard.state,
            settled.state,
        )
    if shard.state is ShardState.WAITING or (_has_holder(shard) and shard.message_id != message_id):
        return AbandonedShard(shard.scan_id, shard.number, shard.attempt, shard.state, scan.state)
    if shard.is_held(gateways.clock()):
        name = f"shard {shard.number} of scan {shard.scan_id}"
        raise ShardBusy(f"{name} is {shard.state} at {shard.worker}")
    closed = give_up_shard(shard, gateways) or scan
    state = ShardState.FAILED
    return AbandonedShard(shard.scan_id, shard.number, shard.attempt, state, closed.state)


def give_up_shard(shard: Shard, gateways: ScanGateways) -> Scan | None:
    """Close the shard as failed, with its last error; the scan afterwards."""
    closing = ShardClosing(
        state=ShardState.FAILED,
        outcome=Outcome.FAILED,
        error_description=_describe_failure(shard),
        usage=shard.total_usage(gateways.clock()),
    )
    return close_shard(shard.scan_id, shard.number, closing, gateways)


def _has_holder(shard: Shard) -> bool:
    return shard.state in (ShardState.RUNNING, ShardState.REPORTED)


def _describe_failure(shard: Shard) -> str:
    """The number of attempts, the last error, and the output of nmap in that attempt."""
    attempts = f"shard {shard.number} was given up after {shard.attempt} attempts"
    error = shard.error_description or (LOST if _has_holder(shard) else "")
    output = f"nmap said: {shard.stderr}" if shard.stderr else ""
    return "; ".join(filter(None, (attempts, error, output)))
