"""Shards in the scan table. Every move is one conditional write, with the scan's counters in the same transaction.

life_cycle.py says which move is made from which states, and when. Of two deliveries one wins; the other is told
False or None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from cascan import life_cycle
from cascan.aws.boundary import chunks, tries
from cascan.aws.dynamo import GATEWAY, MAX_TRANSACTION, MAX_TRANSACTION_BYTES, TablePart, put_new, telling, update
from cascan.aws.items import scan_key, shard_body, shard_in, shard_item, shard_key, waiting_of
from cascan.aws.tally import tally
from cascan.aws.wire import Item, body_of, bytes_of, from_value, instant, values_of
from cascan.errors import GatewayUnavailable
from cascan.model.scan import FINAL_STATES, UNDER_WAY
from cascan.model.shard import (
    IN_FLIGHT,
    LOST,
    Cut,
    NmapRun,
    Progress,
    Return,
    Shard,
    ShardClosing,
    ShardState,
    halves,
)

COUNTER = dict.fromkeys(IN_FLIGHT, "shards_in_flight") | {ShardState.WAITING: "shards_waiting"}
BACK_TO_WAITING = {"shards_waiting": 1, "shards_in_flight": -1}
TO_RUNNING = (
    "SET #state = :running, #attempt = #attempt + :one, #worker = :worker, #message_id = :message, "
    "#lease_until = :until{more} REMOVE #progress"
)
MORE_WHEN_TAKEN_OVER = ", #failures = #failures + :one, #error_description = :lost"
LEFT = "(attribute_not_exists(#lease_until) OR #lease_until <= :now OR #message_id = :message)"


class ShardItems(TablePart):
    """The part of ScanTable that is about shards."""

    def add_shards(self, shards: Iterable[Shard]) -> None:
        items = map(shard_item, shards)
        for chunk in chunks(items, MAX_TRANSACTION, weigh=bytes_of, below=MAX_TRANSACTION_BYTES):
            if self._table.transact([put_new(self._table.name, item) for item in chunk]):
                for item in chunk:  # some are there already: one by one, those stay and the others are stored
                    self._table.put_new(item)

    def shards(self, scan_id: str) -> Iterator[Shard]:
        return map(shard_in, self._table.children(f"scan/{scan_id}", "shard/"))

    def shards_in(self, scan_id: str, state: ShardState) -> Iterator[Shard]:
        if state is not ShardState.WAITING:
            return (shard for shard in self.shards(scan_id) if shard.state is state)
        return map(
            shard_in,
            self._table.query(
                IndexName="listing",
                KeyConditionExpression="listing = :listing",
                ExpressionAttributeValues={":listing": {"S": waiting_of(scan_id)}},
            ),
        )

    def get_shard(self, scan_id: str, number: int) -> Shard | None:
        item = self._table.get(shard_key(scan_id, number))
        return shard_in(item) if item else None

    def release_shard(self, scan_id: str, number: int) -> bool:
        may_run, states = state_in(UNDER_WAY)
        to_queued = self._move(
            life_cycle.RELEASE,
            shard_key(scan_id, number),
            "SET #state = :to REMOVE #listing, #listed_at",
            {":to": ShardState.QUEUED},
        )
        counted = self._scan_counters(
            scan_id,
            {"shards_waiting": -1, "shards_in_flight": 1},
            when=f"{may_run} AND #shards_in_flight < #parallel",
            values=states,
        )
        return not self._table.transact([to_queued, counted])

    def hold_shard(self, scan_id: str, number: int) -> bool:
        to_waiting = self._move(
            life_cycle.HOLD,
            shard_key(scan_id, number),
            "SET #state = :to, #listing = :listing, #listed_at = :listed_at",
            {":to": ShardState.WAITING, **_listing(scan_id, number)},
        )
        return not self._table.transact([to_waiting, self._scan_counters(scan_id, BACK_TO_WAITING)])

    def claim_shard(
        self, scan_id: str, number: int, *, worker: str, message_id: str, lease_until: datetime, now: datetime
    ) -> Shard | None:
        key = shard_key(scan_id, number)
        to_running = {
            ":running": ShardState.RUNNING,
            ":one": 1,
            ":worker": worker,
            ":message": message_id,
            ":until": instant(lease_until),
        }
        is_queued, queued = state_in(life_cycle.CLAIM.frm)
        change = TO_RUNNING.format(more="")
        item = self._table.update(key, change, when=is_queued, values=values_of(to_running | queued))
        if item is None:
            is_held, held = state_in(life_cycle.TAKE_OVER.frm)
            values = to_running | held | {":now": instant(now), ":lost": LOST}
            change = TO_RUNNING.format(more=MORE_WHEN_TAKEN_OVER)
            item = self._table.update(key, change, when=f"{is_held} AND {LEFT}", values=values_of(values))
        return shard_in(item) if item else None

    def beat(
        self, scan_id: str, number: int, attempt: int, *, lease_until: datetime, progress: Progress | None = None
    ) -> bool:
        change = "SET #lease_until = :until" + (", #progress = :progress" if progress else "")
        values = values_of({":until": instant(lease_until)}) | ({":progress": body_of(progress)} if progress else {})
        return self._by_its_holder(life_cycle.BEAT, shard_key(scan_id, number), attempt, change, values) is not None

    def report_shard(self, scan_id: str, number: int, attempt: int, run: NmapRun) -> bool:
        values = values_of({":to": ShardState.REPORTED}) | {":run": body_of(run)}
        change = "SET #state = :to, #run = :run"
        return self._by_its_holder(life_cycle.REPORT, shard_key(scan_id, number), attempt, change, values) is not None

    def cut_shard(self, scan_id: str, number: int, attempt: int, cut: Cut) -> Shard | None:
        for _ in tries():
            shard, scan = self.get_shard(scan_id, number), self._table.get(scan_key(scan_id), "shards")
            if shard is None or scan is None or shard.attempt != attempt:
                return None
            done, rest = halves(shard, cut, from_value(scan["shards"]))
            failed = self._table.transact([self._narrowing(done), put_new(self._table.name, shard_item(rest)),
                                           self._one_more(rest)])  # fmt: skip
            if not failed:
                return rest
            if 0 in failed or self._is_over(scan_id):
                return None  # else another shard took the number
        raise GatewayUnavailable(f"{GATEWAY}: other shards kept taking the number of a remainder")

    def return_shard(self, scan_id: str, number: int, attempt: int, back: Return) -> Shard | None:
        key = shard_key(scan_id, number)
        kept = {"error_description": back.error_description, "stderr": back.stderr}
        told = {name: text for name, text in kept.items() if text}
        sets = ["#state = :to", "#failures = #failures + :more", *(f"#{name} = :{name}" for name in told)]
        values: dict[str, Any] = {
            ":to": back.to,
            ":more": int(back.failed),
            **{f":{n}": text for n, text in told.items()},
        }
        if back.to is ShardState.WAITING:
            sets += ["#listing = :listing", "#listed_at = :listed_at"]
            values |= _listing(scan_id, number)
        change = f"SET {', '.join(sets)} REMOVE #lease_until, #progress"
        if back.to is ShardState.QUEUED:  # in flight as before
            item = self._by_its_holder(life_cycle.RETURN, key, attempt, change, values_of(values))
            return shard_in(item) if item else None
        mine = values | {":attempt": attempt}
        to_waiting = self._move(life_cycle.RETURN, key, change, mine, when="#attempt = :attempt")
        if self._table.transact([to_waiting, self._scan_counters(scan_id, BACK_TO_WAITING)]):
            return None
        return self.get_shard(scan_id, number)

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        """First as one in flight, which it mostly is; then, if it waits, as one that waits."""
        key = shard_key(scan_id, number)
        ended = {":to": closing.state, ":outcome": closing.outcome, ":error": closing.error_description}
        change = (
            "SET #state = :to, #outcome = :outcome, #error_description = :error REMOVE #listing, #listed_at, #progress"
        )
        frm = IN_FLIGHT
        for _ in tries():
            is_there, states = state_in(frm)
            ending = update(self._table.name, key, change, when=is_there, values=values_of(ended | states))
            counted = tally(self._table.name, scan_key(scan_id), closing, was=COUNTER[min(frm)])
            failed = self._table.transact([telling(ending), counted])
            if not failed:
                return True
            state = failed.get(0, {}).get("state", {}).get("S", "")
            if state not in life_cycle.CLOSE.frm:
                return False
            frm = frozenset({ShardState.WAITING}) if state == ShardState.WAITING else IN_FLIGHT
        raise GatewayUnavailable(f"{GATEWAY}: a shard kept moving while it was to be closed")

    # ---- the parts of a move

    def _move(
        self, move: life_cycle.Move, key: Item, change: str, values: dict[str, Any], when: str = ""
    ) -> dict[str, Any]:
        is_there, states = state_in(move.frm)
        condition = f"{is_there} AND {when}" if when else is_there
        return update(self._table.name, key, change, when=condition, values=values_of(values | states))

    def _by_its_holder(self, move: life_cycle.Move, key: Item, attempt: int, change: str, values: Item) -> Item | None:
        is_there, states = state_in(move.frm)
        mine = values | values_of({":attempt": attempt} | states)
        return self._table.update(key, change, when=f"#attempt = :attempt AND {is_there}", values=mine)

    def _scan_counters(
        self,
        scan_id: str,
        more: dict[str, int],
        *,
        when: str = "attribute_exists(pk)",
        values: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        change = "ADD " + ", ".join(f"#{name} :{name}" for name in more)
        counts = {f":{name}": count for name, count in more.items()}
        return update(self._table.name, scan_key(scan_id), change, when=when, values=values_of(counts | (values or {})))

    def _narrowing(self, done: Shard) -> dict[str, Any]:
        is_there, states = state_in(life_cycle.CUT.frm)
        values = values_of({":to": done.state, ":attempt": done.attempt, ":remainder": done.remainder} | states)
        values |= {":body": shard_body(done), ":run": body_of(done.run)}
        change = "SET #state = :to, #body = :body, #run = :run, #remainder = :remainder"
        key, when = shard_key(done.scan_id, done.number), f"{is_there} AND #attempt = :attempt"
        return update(self._table.name, key, change, when=when, values=values)

    def _one_more(self, rest: Shard) -> dict[str, Any]:
        """The remainder, counted in its scan; fails when another has its number, or the scan is over."""
        is_over, states = state_in(FINAL_STATES)
        return self._scan_counters(
            rest.scan_id,
            {"shards": 1, "shards_open": 1, COUNTER[rest.state]: 1},
            when=f"#shards = :number AND NOT {is_over}",
            values={":number": rest.number, **states},
        )

    def _is_over(self, scan_id: str) -> bool:
        scan = self._table.get(scan_key(scan_id), "state")
        return scan is None or from_value(scan["state"]) in FINAL_STATES


def state_in(states: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The condition that an item is in one of the states, and its values."""
    values = {f":state{number}": state for number, state in enumerate(sorted(states))}
    return f"#state IN ({', '.join(values)})", values


def _listing(scan_id: str, number: int) -> dict[str, str]:
    return {":listing": waiting_of(scan_id), ":listed_at": shard_key(scan_id, number)["sk"]["S"]}
