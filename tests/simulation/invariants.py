"""What must be true of every run, whatever happened in it: the promises of the pipeline, one function each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from cascan.events import ScanCancelled, ScanCompleted, ScanFailed
from cascan.ids import derive_scan_id
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Shard, ShardState
from cascan.nmap.options.host_timeout import find_host_timeout_ms
from cascan.nmap.targets.slices import enumerate_slice
from tests.simulation.promises_of_time import OF_TIME
from tests.simulation.world import World

ENDS = (ScanCompleted, ScanFailed, ScanCancelled)


def problems(world: World) -> list[str]:
    """One sentence for each promise that was broken; none: all is well."""
    found = [problem for promise in OF_THE_WORLD for problem in promise(world)]
    for scan in world.scans():
        shards = list(world.table.shards(scan.scan_id))
        found += [
            f"scan {scan.scan_id}: {problem}" for promise in OF_A_SCAN for problem in promise(world, scan, shards)
        ]
    return found


def every_request_is_a_scan(world: World) -> Iterator[str]:
    for message_id in world.requested:
        if world.table.get_scan(derive_scan_id(message_id)) is None:
            yield f"request {message_id} is nowhere"


def nothing_is_parked(world: World) -> Iterator[str]:
    for message in world.parked.messages.values():
        yield f"a message is parked that was no poison: {message.body}"


def every_scan_ends(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    if scan.state not in FINAL_STATES:
        yield f"is {scan.state}, and nothing will move it"
    for shard in shards:
        if shard.state in OPEN_STATES:
            yield f"shard {shard.number} is {shard.state}"
    if scan.outcome is None or scan.finished_at is None:
        yield f"ended as {scan.state} without an outcome or a time"


def counters_are_what_they_count(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    states = Counter(shard.state for shard in shards)
    waiting = states[ShardState.WAITING]
    is_open = sum(states[state] for state in OPEN_STATES)
    counted = (scan.shards, scan.shards_open, scan.shards_waiting, scan.shards_in_flight)
    if counted != (len(shards), is_open, waiting, is_open - waiting):
        yield f"counts {counted} shards, open, waiting, in flight; there are {len(shards)}, {is_open}, {waiting}"
    outcomes = Counter(shard.outcome.value for shard in shards if shard.outcome)
    if scan.shard_outcomes != dict(outcomes):
        yield f"counts the outcomes {scan.shard_outcomes}; its shards say {dict(outcomes)}"
    found = list(world.table.findings(scan.scan_id))
    if scan.state is ScanState.DONE and scan.findings.count != len(found):
        yield f"counts {scan.findings.count} findings, and has {len(found)}"


def every_address_is_in_one_shard(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    (target,) = scan.request.targets if scan.request else ("",)
    network, _, last = target.rpartition("-")
    asked = Counter(f"{network[:-1]}{n}" for n in range(int(last) + 1))
    planned = Counter(a for shard in shards for piece in shard.slices for a in enumerate_slice(piece, 4, {}))
    if asked != planned:
        yield f"lost {sorted((asked - planned).elements())}, has twice {sorted((planned - asked).elements())}"


def complete_means_complete(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    found = {finding.location for finding in world.table.findings(scan.scan_id)}
    for shard in shards:
        addresses = [a for piece in shard.slices for a in enumerate_slice(piece, 4, {})]
        missing = [a for a in addresses if f"tcp://{a}:80" not in found]
        if shard.outcome is Outcome.COMPLETE and missing:
            yield f"shard {shard.number} is complete without {missing}"
    asked = [shard for shard in shards if shard.addresses]  # all of a shard may have become another's
    if scan.outcome is Outcome.COMPLETE and any(shard.outcome is not Outcome.COMPLETE for shard in asked):
        yield "is complete, and not each of its shards is"


def what_a_recorded_report_holds_is_found(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    found = {finding.location for finding in world.table.findings(scan.scan_id)}
    for shard in shards:
        if shard.state is not ShardState.RECORDED or shard.run is None:
            continue
        report = world.reports.objects.get(f"reports/{scan.scan_id}/{shard.number:06d}/{shard.run.attempt}.xml")
        if report is None:
            yield f"shard {shard.number} is recorded, and its report is nowhere"
            continue
        for line in report.decode().splitlines():
            if line.endswith("</host>") and "timedout" not in line:
                address = line.split('addr="')[1].split('"')[0]
                if f"tcp://{address}:80" not in found:
                    yield f"{address} was finished by shard {shard.number}, and is lost"


def who_timed_out_is_asked_once_more(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    asks_again = scan.request is not None and scan.request.retry_timed_out
    for shard in shards:
        limit_ms = find_host_timeout_ms(shard.arguments)
        if limit_ms not in ((60_000, 120_000) if asks_again else (0, 60_000)):
            yield f"shard {shard.number} gives a host {limit_ms:.0f} ms"
        if shard.run is None or shard.state is not ShardState.RECORDED or not shard.retry_timed_out or shard.run.cut:
            continue
        own = {a for piece in shard.slices for a in enumerate_slice(piece, 4, {})}
        report = world.reports.objects.get(f"reports/{scan.scan_id}/{shard.number:06d}/{shard.run.attempt}.xml", b"")
        for line in report.decode().splitlines():
            if 'timedout="true"' in line and line.split('addr="')[1].split('"')[0] in own and not shard.run.stopped:
                yield f"shard {shard.number} leaves a host at {line}"


def only_what_was_asked_is_found(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    asked = {a for shard in shards for piece in shard.slices for a in enumerate_slice(piece, 4, {})}
    for finding in world.table.findings(scan.scan_id):
        address = finding.location.removeprefix("tcp://").removesuffix(":80")
        if address not in asked:
            yield f"found {finding.location}, which nobody asked for"


def its_end_is_announced_under_one_id(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    ids = {event.event_id for event in world.bus.events if isinstance(event, ENDS) and event.scan_id == scan.scan_id}
    if len(ids) != 1:
        yield f"its end was announced under {len(ids)} ids"


def its_ceiling_holds(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    cut_off = sum(shard.remainder_of is not None for shard in shards)  # it stands beside the one it was cut from
    most = world.most_in_flight.get(scan.scan_id, 0)
    if most > scan.parallel + cut_off:
        yield f"had {most} shards in flight, and may have {scan.parallel}"


def what_is_announced_is_how_it_ended(world: World, scan: Scan, shards: list[Shard]) -> Iterator[str]:
    kinds = {type(event) for event in world.bus.events if isinstance(event, ENDS) and event.scan_id == scan.scan_id}
    wanted = {ScanState.ERRORED: ScanFailed, ScanState.CANCELLED: ScanCancelled}.get(scan.state, ScanCompleted)
    if kinds != {wanted}:
        yield f"is {scan.state}, and was announced as {sorted(kind.__name__ for kind in kinds)}"
    if not scan.announced:
        yield "does not know that its end was announced"


OF_THE_WORLD: tuple[Callable[[World], Iterator[str]], ...] = (every_request_is_a_scan, nothing_is_parked)
OF_A_SCAN: tuple[Callable[[World, Scan, list[Shard]], Iterator[str]], ...] = (
    every_scan_ends,
    counters_are_what_they_count,
    every_address_is_in_one_shard,
    complete_means_complete,
    what_a_recorded_report_holds_is_found,
    who_timed_out_is_asked_once_more,
    only_what_was_asked_is_found,
    its_end_is_announced_under_one_id,
    its_ceiling_holds,
    what_is_announced_is_how_it_ended,
    *OF_TIME,
)
