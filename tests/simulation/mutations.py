"""Bugs that somebody might put into the code one day, and seeds that catch them. The simulation has to find each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from cascan import closing, releasing
from cascan.gateways import Received
from cascan.model.shard import Cut, Shard
from on_shard_queued import finish_shard, run_shard
from on_shard_queued.drain import Drain
from tests.fakes import MemoryScanTable

handle, cut_shard, store = Drain._handle, MemoryScanTable.cut_shard, finish_shard.Finish._store


def acknowledged_first(self: Drain, received: Received) -> None:
    self._source.delete(received)
    handle(self, received)


def held_by_anybody(self: MemoryScanTable, move: Any, scan_id: str, number: int, attempt: int) -> Shard | None:
    shard = self.get_shard(scan_id, number)
    return shard if shard and shard.state in move.frm else None


def cut_uncounted(self: MemoryScanTable, scan_id: str, number: int, attempt: int, cut: Cut) -> Shard | None:
    before = self.scans.get(scan_id)
    rest = cut_shard(self, scan_id, number, attempt, cut)
    if before:
        self.scans[scan_id] = before
    return rest


def marked_before_sent(scan: Any, *, table: Any, queues: Any, clock: Any) -> dict[str, int]:
    for shard in list(table.shards_in(scan.scan_id, "waiting"))[: scan.parallel - scan.shards_in_flight]:
        if table.release_shard(shard.scan_id, shard.number):
            queues.send(shard.lane, [releasing.message_of(shard, scan)])
    return {}


def report_stored_first(self: finish_shard.Finish, run: Any) -> str:
    shard = self.shard
    store(self)
    return "reported" if self.worker.table.report_shard(shard.scan_id, shard.number, shard.attempt, run) else "lost"


def nothing(*_: object, **__: object) -> None:
    """What should have been done is not."""


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    applied: Callable[[], AbstractContextManager[object]]
    seeds: tuple[int, ...]  # that catch it


MUTATIONS = (
    Mutation("a worker acknowledges a message before its shard is done", lambda: patch.object(Drain, "_handle", acknowledged_first), ()),
    Mutation("a shard is moved without asking whose attempt it is", lambda: patch.object(MemoryScanTable, "_held", held_by_anybody), ()),
    Mutation("a remainder is not counted in its scan", lambda: patch.object(MemoryScanTable, "cut_shard", cut_uncounted), ()),
    Mutation("a waiting shard is marked before its message is sent", lambda: patch.object(closing, "release_next", marked_before_sent), ()),
    Mutation("a report is stored before what its run did", lambda: patch.object(finish_shard.Finish, "reported", report_stored_first), ()),
    Mutation("nobody tells of a remainder whose maker died", lambda: patch.object(run_shard, "_tell_of_remainder", nothing), ()),
    Mutation("the end of a scan is marked as announced, and not announced", lambda: patch.object(closing, "announce", nothing), ()),
)  # fmt: skip
