"""Bugs that somebody might put into the code one day, and seeds that catch them. The simulation has to find each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest.mock import patch

from msgspec import structs

from cascan.gateways import Received, ScanGateways
from cascan.model.scan import ScanBrief
from cascan.model.shard import Shard, ShardCut, ShardState, split_shard
from cascan.scans import close as closing
from cascan.scans import close_open_shards
from cascan.scans import release as releasing
from cascan.scans import transitions as life_cycle
from cascan.scans.transitions import RunPermission, StopReason
from on_control_requested import control_scan
from on_report_stored import record_findings
from on_report_stored.checkpoints import RecordingStatus
from on_shard_abandoned.take_back_shard import _ReturnedShard
from on_shard_queued import choose_next_step, heartbeat
from on_shard_queued import claim_shard as take_shard
from on_shard_queued.drain import Drain
from on_shard_queued.heartbeat import Heartbeat
from tests.fakes import MemoryScanTable
from tests.fakes import shards as fake_shards
from tests.simulation.harder import WorldInTurns, WorldOfMishaps
from tests.simulation.world import World

handle, cut_shard, beat_if_due = Drain._handle, MemoryScanTable.cut_shard, Heartbeat._beat_if_due

CLOSE_ANY = structs.replace(life_cycle.CLOSE, expected=frozenset(ShardState))


def acknowledged_first(self: Drain, received: Received) -> None:
    self._source.delete(received)
    handle(self, received)


def cut_uncounted(self: MemoryScanTable, scan_id: str, number: int, attempt: int, cut: ShardCut) -> Shard | None:
    before = self.scans.get(scan_id)
    rest = cut_shard(self, scan_id, number, attempt, cut)
    if before:
        self.scans[scan_id] = before
    return rest


def marked_before_sent(scan: Any, gateways: ScanGateways) -> dict[str, int]:
    for shard in list(gateways.table.list_shards_in(scan.scan_id, ShardState.WAITING))[
        : scan.parallel - scan.shards_in_flight
    ]:
        if gateways.table.release_shard(shard.scan_id, shard.number):
            gateways.queues.send(shard.lane, [releasing.build_shard_message(shard, scan)])
    return {}


def asked_without_end(shard: Shard, cut: ShardCut, number: int) -> tuple[Shard, Shard]:
    done, rest = split_shard(shard, cut, number)
    return done, structs.replace(rest, retry_timed_out=shard.retry_timed_out)


def late_hosts_kept(shard: Shard, cut: ShardCut, number: int) -> tuple[Shard, Shard]:
    done, rest = split_shard(shard, cut, number)
    return (structs.replace(done, slices=shard.slices) if cut.longer else done), rest


def beat_unheard(self: Heartbeat) -> StopReason | None:
    stopped = beat_if_due(self)
    return None if stopped is StopReason.LOST else stopped


def standing_without(**fields: Any) -> Callable[[ScanBrief, datetime], RunPermission]:
    return lambda brief, now: life_cycle.run_permission(structs.replace(brief, **fields), now)


def held_alone(scan: Any, gateways: ScanGateways) -> bool:
    """As it was: a scan past its deadline was not held, and so it was released."""
    brief = gateways.table.scan_brief(scan.scan_id)
    return (
        brief is not None and life_cycle.run_permission(brief, gateways.clock()).blocked_by in life_cycle.HOLD_REASONS
    )


def nothing_sent(*_: object, **__: object) -> dict[str, int]:
    return {}


def nothing(*_: object, **__: object) -> None:
    """What should have been done is not."""


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    owner: object  # of what is replaced
    attribute: str
    by: object
    seed: int  # that catches it
    kind: type[World] = World

    def applied(self) -> AbstractContextManager[object]:
        return patch.object(self.owner, self.attribute, self.by)


MUTATIONS = (
    Mutation("a message is acknowledged before its shard is done", Drain, "_handle", acknowledged_first, 6),
    Mutation("a shard is closed without asking whether it is", life_cycle, "CLOSE", CLOSE_ANY, 6),
    Mutation("a remainder is not counted in its scan", MemoryScanTable, "cut_shard", cut_uncounted, 9),
    Mutation("a shard is marked before its message is sent", closing, "release_waiting", marked_before_sent, 8),
    Mutation("the end of a scan is not announced", closing, "announce_end", nothing, 1),
    Mutation(
        "nobody tells of a remainder whose maker died", record_findings, "send_remainder", nothing, 0, WorldOfMishaps
    ),
    Mutation("who timed out is asked again without end", fake_shards, "split_shard", asked_without_end, 7),
    Mutation("who timed out stays in the shard, too", fake_shards, "split_shard", late_hosts_kept, 3),
    Mutation(
        "who gives way leaves a report to nobody",
        record_findings,
        "RETRY_AFTER_S",
        {RecordingStatus.CONTINUE: 0},
        128,
        WorldInTurns,
    ),
    Mutation("a refused heartbeat is ignored", Heartbeat, "_beat_if_due", beat_unheard, 0),
    Mutation(
        "nmap runs on while the stack is halted", heartbeat, "run_permission", standing_without(halted=False), 228
    ),
    Mutation("windows are for planning alone", take_shard, "run_permission", standing_without(windows=()), 12),
    Mutation("workers claim past the deadline", take_shard, "run_permission", standing_without(deadline_at=None), 13),
    Mutation("shards are released past the deadline", releasing, "_is_blocked", held_alone, 8),
    Mutation("being stopped counts as a failure", choose_next_step, "NO_FAILURE", frozenset[StopReason](), 0),
    Mutation("what a cancelled scan has left is nobody's", close_open_shards, "LOOK_AGAIN_S", 10**6, 14),
    Mutation("a returned shard gets no message", _ReturnedShard, "_send", nothing, 0),
    Mutation("resuming trusts that the messages were sent", control_scan, "resend_messages", nothing_sent, 122),
)
