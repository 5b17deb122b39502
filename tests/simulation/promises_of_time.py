"""What must be true of when things happen: windows, deadlines, suspended and halted scans, attempts and failures.

Judged by the journal of the table and by the runs of nmap, where invariants.py looks at what is left in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cascan.limits import REPORT_GRACE_S
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Shard
from cascan.scans.transitions import StopReason
from cascan.timing.windows import Window, find_opening
from on_shard_queued.drain import HOLD_S
from tests.simulation.scripted_nmap import SECONDS_A_HOST, Run
from tests.simulation.world import FAULTS_END, World
from tests.support.builders import NOW

LONGEST_HOST = timedelta(seconds=max(SECONDS_A_HOST))  # nmap is looked at when it has finished a host
STOPS_WITHIN = timedelta(seconds=HOLD_S) + LONGEST_HOST  # a heartbeat, or a lease that could not be extended
ENDS_WITHIN = timedelta(seconds=REPORT_GRACE_S + 600)  # of the last report, and of a tick
NO_FAULT = frozenset({StopReason.SUSPENDED, StopReason.HALTED, StopReason.WINDOW, StopReason.WORKER})
GIVES_BACK = frozenset({"send", "report_shard"})  # a worker returns its shard, or proposes to cut it
BY_THE_HOLDER = frozenset({"beat", "report_shard"})


def nmap_runs_only_while_its_scan_may(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    """Not past its deadline, outside its windows, while it or the stack stands still, or once it is cancelled."""
    hours = [Window.parse(text) for text in scan.windows]
    for run in _runs_of(world, scan):
        if scan.deadline_at and run.started_at >= scan.deadline_at:
            yield f"nmap was started at {run.started_at:%T}, past its deadline"
        if scan.deadline_at and run.ended_at > scan.deadline_at + LONGEST_HOST:
            yield f"nmap ran until {run.ended_at:%T}, past its deadline"
        open_hours = find_opening(hours, run.started_at)
        if open_hours and not open_hours.is_open:
            yield f"nmap was started at {run.started_at:%T}, outside its windows"
        if open_hours and open_hours.is_open and run.ended_at > open_hours.until + LONGEST_HOST:
            yield f"nmap ran until {run.ended_at:%T}, beyond its window"
        for since, until, why in (*_halts(world), *_pauses(world, scan)):
            if since < run.started_at < until:
                yield f"nmap was started at {run.started_at:%T}, {why} since {since:%T}"
            if (
                run.started_at <= since
                and run.ended_at > max(since + STOPS_WITHIN, run.started_at + STOPS_WITHIN) < until
            ):
                yield f"nmap ran until {run.ended_at:%T}, {why} since {since:%T}"


def a_stop_that_is_no_fault_of_the_shard_counts_no_failure(
    world: World, scan: Scan, shards: list[Shard]
) -> Iterator[str]:
    for run in _runs_of(world, scan):
        if run.stopped not in NO_FAULT:
            continue
        after = (c for c in world.journal if c.actor == run.actor and c.at >= run.ended_at and c.method in GIVES_BACK)
        call = next(after, None)
        proposal = call and (call.args[0] if call.method == "send" else call.args[4])
        if proposal and proposal.failed:
            yield f"a shard counts a failure, though nmap was stopped for {run.stopped}"


def a_refused_heartbeat_ends_the_run(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    for run in _runs_of(world, scan):
        refused = (c.at for c in world.journal if c.actor == run.actor and c.method == "beat" and not c.answer)
        since = next((at for at in refused if run.started_at < at <= run.ended_at), None)
        if since and run.ended_at > since + LONGEST_HOST:
            yield f"nmap ran until {run.ended_at:%T}, though its shard was lost at {since:%T}"


def a_scan_past_its_deadline_releases_nothing_and_ends(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    if scan.deadline_at is None:
        return
    for call in world.journal:
        late = call.at > scan.deadline_at and call.args[:1] == (scan.scan_id,)
        if late and call.method == "release_shard" and call.answer:
            yield f"shard {call.args[1]} was released at {call.at:%T}, past its deadline"
        if late and call.method == "claim_shard" and call.answer:
            yield f"shard {call.args[1]} was claimed at {call.at:%T}, past its deadline"
    at_last = max(scan.deadline_at, NOW + FAULTS_END) + ENDS_WITHIN
    if scan.finished_at and scan.finished_at > at_last:
        yield f"ended at {scan.finished_at:%T}, long past its deadline"


def who_lost_a_shard_writes_nothing_of_it(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    attempts: dict[int, int] = {}
    if not world.journal_is_in_order:
        return
    for call in world.journal:
        if call.args[:1] != (scan.scan_id,) or not call.answer:
            continue
        if call.method == "claim_shard":
            attempts[call.args[1]] = call.answer.attempt
        elif call.method in BY_THE_HOLDER and call.args[2] != attempts.get(call.args[1]):
            yield f"shard {call.args[1]}: attempt {call.args[2]} wrote with {call.method}, and had lost it"


def _runs_of(world: World, scan: Scan) -> list[Run]:
    """Every scan of a world has a network of its own."""
    network = scan.request.targets[0].rpartition(".")[0] + "." if scan.request else ""
    return [run for run in world.nmap.runs if run.addresses[0].startswith(network)]


def _halts(world: World) -> Iterator[tuple[datetime, datetime, str]]:
    since: datetime | None = None
    for call in world.journal:
        if call.method == "halt":
            since = since or call.at
        elif call.method == "lift" and since:
            yield since, call.at, "halted"
            since = None


def _pauses(world: World, scan: Scan) -> Iterator[tuple[datetime, datetime, str]]:
    """When it was suspended; and from when it was cancelled."""
    since: datetime | None = None
    for call in world.journal:
        created = call.method == "create_scan" and call.answer and call.args[0].scan_id == scan.scan_id
        moved = call.method == "advance_scan" and call.answer and call.args[0] == scan.scan_id
        to = call.args[0].state if created else call.args[1] if moved else None
        if to is ScanState.SUSPENDED:
            since = call.at
        elif to is not None and since:
            yield since, call.at, "suspended"
            since = None
        if to is ScanState.CANCELLED:
            yield call.at, datetime.max.replace(tzinfo=UTC), "cancelled"


OF_TIME = (
    nmap_runs_only_while_its_scan_may,
    a_stop_that_is_no_fault_of_the_shard_counts_no_failure,
    a_refused_heartbeat_ends_the_run,
    a_scan_past_its_deadline_releases_nothing_and_ends,
    who_lost_a_shard_writes_nothing_of_it,
)
