"""Cut a reported shard as its worker proposed: the unfinished part becomes a shard of its own.

The worker may be stolen. What it did not finish must be a part of its shard, and what it says of its
run must fit the shard.
"""

from __future__ import annotations

from collections.abc import Iterator

from cascan.errors import MalformedMessage
from cascan.gateways import ScanGateways
from cascan.limits import (
    MAX_ADDRESSES_PER_NAME,
    MAX_GENERATIONS,
    MAX_REASON_CHARS,
    MAX_SLICES_PER_SHARD,
    MAX_STDERR_CHARS,
)
from cascan.model.scan import Scan
from cascan.model.shard import Lane, NmapRun, ProposedCut, Shard, ShardCut, ShardState, TargetSlice
from cascan.nmap.options.host_timeout import lengthen_host_timeout
from cascan.scans.release import build_shard_message, retry_delay_s
from cascan.scans.transitions import HOLD_REASONS, run_permission

Slices = tuple[TargetSlice, ...]
MAX_CLOCK_SKEW_MS = 3_600_000  # between a worker and a function


def cut_reported_shard(shard: Shard, scan: Scan, gateways: ScanGateways) -> Shard:
    """The shard as it is to be recorded, without what its worker did not finish.

    The remainder is queued, or waits where the scan may not run. If the returned shard still has a
    proposed cut, a later attempt has it, or its scan is over.

    Raises: MalformedMessage: the worker's run, or its cut, does not fit the shard.
    """
    if shard.run is None:
        return shard
    is_cut = shard.remainder is not None and shard.cut is None
    if not is_cut:  # by then its slices were fewer than those of the run
        age_s = max(0.0, (gateways.clock() - scan.requested_at).total_seconds())
        _require_fitting_run(shard, shard.run, int(age_s * 1000) + MAX_CLOCK_SKEW_MS)
    if shard.cut is None or shard.attempt != shard.run.attempt:
        return shard
    gateways.table.cut_shard(
        shard.scan_id,
        shard.number,
        shard.attempt,
        _build_cut(shard, shard.run, shard.cut, scan, gateways),
    )
    shard = gateways.table.get_shard(shard.scan_id, shard.number) or shard
    send_remainder(shard, scan, gateways)
    return shard


def send_remainder(shard: Shard, scan: Scan, gateways: ScanGateways) -> None:
    """Send the message of the shard's remainder, if that is queued and no worker has had it yet.

    An invocation may have ended between the cut and the message.
    """
    if shard.remainder is None:
        return
    remainder = gateways.table.get_shard(shard.scan_id, shard.remainder)
    if remainder is None or remainder.state is not ShardState.QUEUED or remainder.attempt > 0:
        return
    delay_s = retry_delay_s(remainder.failures) if remainder.failures > shard.failures else 0
    message = build_shard_message(remainder, scan)
    gateways.queues.send(remainder.lane, [message], delay_s=delay_s, vantage=scan.vantage)


def _build_cut(shard: Shard, run: NmapRun, proposed: ProposedCut, scan: Scan, gateways: ScanGateways) -> ShardCut:
    brief = gateways.table.scan_brief(scan.scan_id)
    is_held = brief and run_permission(brief, gateways.clock()).blocked_by in HOLD_REASONS
    return ShardCut(
        run=run,
        done=subtract_slices(shard.slices, proposed.remaining),
        remaining=proposed.remaining,
        lane=_judge_lane(shard, proposed),
        to=ShardState.WAITING if is_held else ShardState.QUEUED,
        failed=proposed.failed,
        error_description=proposed.error_description[:MAX_REASON_CHARS],
        longer=_lengthen_timeout(shard) if proposed.timed_out else (),
    )


def subtract_slices(slices: Slices, remaining: Slices) -> Slices:
    """What of the slices does not remain.

    Raises: MalformedMessage: something remains that is not in the slices, or it is in too many
    parts.
    """
    ahead = list(remaining)
    done = tuple(part for each in slices for part in _subtract(each, ahead))
    if ahead or not remaining:
        raise MalformedMessage("a worker cut off targets that its shard does not have")
    if max(len(done), len(remaining)) > MAX_SLICES_PER_SHARD:
        limit = f"more than {MAX_SLICES_PER_SHARD} slices"
        raise MalformedMessage(f"a worker cut its shard into {limit}")
    return done


def _subtract(whole: TargetSlice, ahead: list[TargetSlice]) -> Iterator[TargetSlice]:
    """The gaps between the parts of the slice, which are taken from the beginning of `ahead`."""
    start = whole.start
    while ahead and _is_part(ahead[0], whole, start):
        part = ahead.pop(0)
        if part.start > start:
            yield TargetSlice(whole.expression, start, part.start)
        start = part.stop
    if start < whole.stop:
        yield TargetSlice(whole.expression, start, whole.stop)


def _is_part(part: TargetSlice, whole: TargetSlice, start: int) -> bool:
    return part.expression == whole.expression and start <= part.start < part.stop <= whole.stop


def _judge_lane(shard: Shard, proposed: ProposedCut) -> Lane:
    """The lane of the remainder: that of its shard, or the connect lane after the express lane."""
    if shard.lane is Lane.EXPRESS and proposed.lane is Lane.CONNECT:
        return proposed.lane
    if proposed.lane is not shard.lane:
        raise MalformedMessage(f"a worker moved a shard from lane {shard.lane} to {proposed.lane}")
    if shard.generation >= MAX_GENERATIONS:
        raise MalformedMessage(f"a worker cut a shard that was cut {shard.generation} times")
    return shard.lane


def _lengthen_timeout(shard: Shard) -> tuple[str, ...]:
    longer = lengthen_host_timeout(shard.arguments) if shard.retry_timed_out else ()
    if not longer:
        raise MalformedMessage("a worker asked for more time that the request does not allow")
    return longer


def _require_fitting_run(shard: Shard, run: NmapRun, most_ms: int) -> None:
    """`most_ms`: since the scan was requested. Raises: MalformedMessage: it is no run of this shard."""
    used = run.usage
    used_ms = used.lambda_ms + used.spot_ms + used.on_demand_ms
    targets = sum(each.stop - each.start for each in shard.slices)
    most = max(targets, 1) * MAX_ADDRESSES_PER_NAME
    flaws = {
        "hosts to ask again": not 0 <= run.asked_again <= run.addresses,
        "addresses": run.addresses - run.asked_again > most,
        "milliseconds": not 0 <= used_ms <= most_ms,
        "names": len(run.resolved) > len(shard.slices),
        "addresses of a name": any(len(addresses) > MAX_ADDRESSES_PER_NAME for addresses in run.resolved.values()),
        "characters of standard error": len(run.stderr) > MAX_STDERR_CHARS,
    }
    flaw = next((name for name, is_flawed in flaws.items() if is_flawed), None)
    if flaw:
        name = f"shard {shard.number} of scan {shard.scan_id}"
        raise MalformedMessage(f"the run of {name} does not fit it: too many {flaw}")
