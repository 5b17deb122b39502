"""Shards in the scan table.

Every move is one conditional write, which updates the scan's counters in the same transaction. Of
two deliveries one wins, and the other gets False or None. cascan.scans.transitions lists the states
from which each move is allowed, and its conditions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from heapq import merge
from typing import Any

from msgspec.structs import replace

from cascan.aws.boundary import chunks, tries
from cascan.aws.dynamodb.table import (
    GATEWAY,
    MAX_TRANSACTION,
    MAX_TRANSACTION_BYTES,
    put_new,
    return_on_conflict,
)
from cascan.aws.dynamodb.wire import (
    Item,
    encode_body,
    format_instant,
    from_value,
    item_size,
    read_item,
    readable_items,
    to_values,
)
from cascan.aws.tables.items import (
    EARLIER_SHARDS,
    LAYOUT,
    earlier_shard_key,
    read_shard,
    read_shard_number,
    scan_key,
    shard_item,
    shard_key,
    shards_partition,
    waiting_partition,
)
from cascan.aws.tables.scan_layouts import ScanLayouts
from cascan.aws.tables.shard_actions import (
    COUNTER,
    close_action,
    count_action,
    count_address_action,
    count_closed_action,
    count_remainder_action,
    counted_alike,
    cut_action,
    delete_action,
    state_action,
    state_condition,
    waiting_values,
)
from cascan.errors import GatewayUnavailable
from cascan.ids import derive_shard_token, make_shard_secret
from cascan.model.scan import FINAL_STATES, UNDER_WAY
from cascan.model.shard import (
    IN_FLIGHT,
    LOST,
    NmapRun,
    Progress,
    ProposedCut,
    Shard,
    ShardClosing,
    ShardCut,
    ShardReturn,
    ShardState,
    split_shard,
)
from cascan.model.usage import NO_USAGE
from cascan.scans import transitions as life_cycle

MAX_CLOSED_TOGETHER = MAX_TRANSACTION - 1  # shards; one action updates the scan's counters
FENCED = ("state", "attempt", "lease_until")  # unchanged while no worker and no function moves a shard
BACK_TO_WAITING = {"shards_waiting": 1, "shards_in_flight": -1}
TO_RUNNING = (
    "SET #state = :running, #attempt = #attempt + :one, #worker = :worker, #message_id = :message, "
    "#lease_until = :until, #claimed_at = if_not_exists(#claimed_at, :now){more} REMOVE #progress"
)
MORE_WHEN_TAKEN_OVER = ", #failures = #failures + :one, #error_description = :lost"
LEASE_ENDED = "(attribute_not_exists(#lease_until) OR #lease_until <= :now OR #message_id = :message)"


class ShardItems(ScanLayouts):
    """The part of ScanTable for shards.

    A worker names the token of its shard. The functions leave it out: they read the scan's secret.
    """

    def add_shards(self, shards: Iterable[Shard]) -> None:
        items = (shard_item(shard, self._key(shard.scan_id, shard.number)) for shard in shards)
        for chunk in chunks(items, MAX_TRANSACTION, weigh=item_size, below=MAX_TRANSACTION_BYTES):
            missing = chunk
            while missing:
                actions = [put_new(self._table.name, item) for item in missing]
                existing = self._table.transact(actions)
                if not existing:
                    break
                missing = [item for index, item in enumerate(missing) if index not in existing]

    def shards(self, scan_id: str) -> Iterator[Shard]:
        return readable_items(self._shard_items(scan_id), read_shard)

    def list_shards_in(self, scan_id: str, state: ShardState) -> Iterator[Shard]:
        if state is not ShardState.WAITING:
            return (shard for shard in self.shards(scan_id) if shard.state is state)
        items = self._table.query(
            IndexName="listing",
            KeyConditionExpression="listing = :listing",
            ExpressionAttributeValues={":listing": {"S": waiting_partition(scan_id)}},
        )
        return readable_items(items, read_shard)

    def get_shard(self, scan_id: str, number: int, *, token: str = "") -> Shard | None:
        item = self._table.get(self._key(scan_id, number, token))
        return read_item(item, read_shard) if item else None

    def release_shard(self, scan_id: str, number: int) -> bool:
        may_run, states = state_condition(UNDER_WAY)
        to_queued = state_action(
            self._table.name,
            life_cycle.RELEASE,
            self._key(scan_id, number),
            "SET #state = :to REMOVE #listing, #listed_at",
            {":to": ShardState.QUEUED},
        )
        counted = count_action(
            self._table.name,
            scan_id,
            {"shards_waiting": -1, "shards_in_flight": 1},
            when=f"{may_run} AND #shards_in_flight < #parallel",
            values=states,
        )
        return not self._table.transact([to_queued, counted])

    def hold_shard(self, scan_id: str, number: int) -> bool:
        to_waiting = state_action(
            self._table.name,
            life_cycle.HOLD,
            self._key(scan_id, number),
            "SET #state = :to, #listing = :listing, #listed_at = :listed_at",
            {":to": ShardState.WAITING, **waiting_values(scan_id, number)},
        )
        counted = count_action(self._table.name, scan_id, BACK_TO_WAITING)
        return not self._table.transact([to_waiting, counted])

    def claim_shard(
        self,
        scan_id: str,
        number: int,
        *,
        worker: str,
        message_id: str,
        lease_until: datetime,
        now: datetime,
        token: str = "",
    ) -> Shard | None:
        key = self._key(scan_id, number, token)
        to_running = {
            ":running": ShardState.RUNNING,
            ":one": 1,
            ":worker": worker,
            ":message": message_id,
            ":until": format_instant(lease_until),
            ":now": format_instant(now),
        }
        is_queued, queued = state_condition(life_cycle.CLAIM.expected)
        change = TO_RUNNING.format(more="")
        values = to_values(to_running | queued)
        item = self._table.update(key, change, when=is_queued, values=values)
        if item is None:
            is_held, held = state_condition(life_cycle.TAKE_OVER.expected)
            change = TO_RUNNING.format(more=MORE_WHEN_TAKEN_OVER)
            values = to_values(to_running | held | {":lost": LOST})
            may_take_over = f"{is_held} AND {LEASE_ENDED}"
            item = self._table.update(key, change, when=may_take_over, values=values)
        return read_item(item, read_shard) if item else None

    def beat(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        *,
        lease_until: datetime,
        progress: Progress | None = None,
        token: str = "",
    ) -> bool:
        key = self._key(scan_id, number, token)
        change = "SET #lease_until = :until"
        values = to_values({":until": format_instant(lease_until)})
        if progress:
            change += ", #progress = :progress"
            values[":progress"] = encode_body(progress)
        item = self._update_if_held(life_cycle.BEAT, key, attempt, change, values)
        return item is not None

    def report_shard(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        run: NmapRun,
        cut: ProposedCut | None = None,
        *,
        token: str = "",
    ) -> bool:
        key = self._key(scan_id, number, token)
        change = "SET #state = :to, #run = :run"
        values = to_values({":to": ShardState.REPORTED}) | {":run": encode_body(run)}
        if cut:
            change += ", #cut = :cut"
            values[":cut"] = encode_body(cut)
        else:
            change += " REMOVE #cut"
        item = self._update_if_held(life_cycle.REPORT, key, attempt, change, values)
        return item is not None

    def cut_shard(self, scan_id: str, number: int, attempt: int, cut: ShardCut) -> Shard | None:
        for _ in tries():
            shard = self.get_shard(scan_id, number)
            scan = self._table.get(scan_key(scan_id), "shards")
            if shard is None or scan is None or shard.attempt != attempt or shard.cut is None:
                return None
            done, remainder = split_shard(shard, cut, from_value(scan["shards"]))
            table = self._table.name
            actions = [
                cut_action(table, self._key(scan_id, number), done),
                put_new(table, shard_item(remainder, self._key(scan_id, remainder.number))),
                count_remainder_action(table, remainder),
            ]
            failed = self._table.transact(actions)
            if not failed:
                return remainder
            if 0 in failed or self._is_over(scan_id):
                return None
            # Otherwise another shard took the number.
        raise GatewayUnavailable(f"{GATEWAY}: other shards kept taking the number of a remainder")

    def move_shard(self, scan_id: str, number: int) -> str:
        layout = self._find_layout(scan_id)
        secret = layout.secret or self._store_moved_secret(scan_id)
        token = derive_shard_token(secret, number)
        key, earlier = shard_key(scan_id, number, token), earlier_shard_key(scan_id, number)
        if layout.layout >= LAYOUT or not (item := self._table.get(earlier)):
            return token if self._table.get(key, "pk") else ""
        unchanged = {f":{name}": item[name] for name in FENCED if name in item}
        conditions = [f"#{name} = :{name}" for name in FENCED if name in item]
        delete = delete_action(self._table.name, earlier, " AND ".join(conditions), unchanged)
        failed = self._table.transact([delete, put_new(self._table.name, item | key)])
        return "" if failed else token

    def find_moved_token(self, scan_id: str, number: int) -> str:
        layout = self._find_layout(scan_id)
        token = derive_shard_token(layout.secret, number) if layout.secret else ""
        is_moved = token and self._table.get(shard_key(scan_id, number, token), "pk")
        return token if is_moved else ""

    def _store_moved_secret(self, scan_id: str) -> str:
        """The secret of a scan that an earlier version stored; the first call stores one."""
        change = "SET #moved_secret = if_not_exists(#moved_secret, :secret)"
        values = to_values({":secret": make_shard_secret()})
        item = self._table.update(scan_key(scan_id), change, when="attribute_exists(pk)", values=values)
        return from_value(item["moved_secret"]) if item else ""

    def return_shard(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        back: ShardReturn,
    ) -> Shard | None:
        key = self._key(scan_id, number)
        sets = ["#state = :to", "#failures = #failures + :more"]
        values: dict[str, Any] = {":to": back.to, ":more": int(back.failed)}
        for name, text in (("error_description", back.error_description), ("stderr", back.stderr)):
            if text:  # an empty one does not replace the text of an earlier failure
                sets.append(f"#{name} = :{name}")
                values[f":{name}"] = text
        if back.to is ShardState.WAITING:
            sets += ["#listing = :listing", "#listed_at = :listed_at"]
            values |= waiting_values(scan_id, number)
        change = f"SET {', '.join(sets)} REMOVE #lease_until, #claimed_at, #progress"
        if used := back.usage.counts:
            change += f" ADD {', '.join(f'#{name} :{name}' for name in used)}"
            values |= {f":{name}": count for name, count in used.items()}
        if back.to is ShardState.QUEUED:  # the counters do not change
            item = self._update_if_held(life_cycle.RETURN, key, attempt, change, to_values(values))
            return read_item(item, read_shard) if item else None
        to_waiting = state_action(
            self._table.name,
            life_cycle.RETURN,
            key,
            change,
            values | {":attempt": attempt},
            when="#attempt = :attempt",
        )
        counted = count_action(self._table.name, scan_id, BACK_TO_WAITING)
        if self._table.transact([to_waiting, counted]):
            return None
        return self.get_shard(scan_id, number)

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        """Close the shard: try first as one in flight, as most are, then as a waiting one."""
        expected, key = IN_FLIGHT, self._key(scan_id, number)
        for _ in tries():
            ended = close_action(self._table.name, key, number, closing, expected=expected)
            was = {COUNTER[min(expected)]: 1}
            counted = count_closed_action(self._table.name, scan_key(scan_id), closing, was=was)
            failed = self._table.transact([return_on_conflict(ended), counted])
            if not failed:
                return True
            state = failed.get(0, {}).get("state", {}).get("S", "")
            if state not in life_cycle.CLOSE.expected:
                return False
            expected = frozenset({ShardState.WAITING}) if state == ShardState.WAITING else IN_FLIGHT
        raise GatewayUnavailable(f"{GATEWAY}: a shard kept moving while it was to be closed")

    def close_shards(self, scan_id: str, shards: Iterable[Shard], closing: ShardClosing) -> int:
        still_open = (shard for shard in shards if shard.state in life_cycle.CLOSE.expected)
        transactions = chunks(
            still_open,
            MAX_CLOSED_TOGETHER,
            weigh=_weight,
            below=MAX_TRANSACTION_BYTES,
        )
        return sum(self._close_together(scan_id, chunk, closing) for chunk in transactions)

    def count_addresses(
        self,
        scan_id: str,
        number: int,
        addresses: Collection[str],
    ) -> frozenset[str]:
        counted: list[str] = []  # by this shard
        for chunk in chunks(sorted(addresses), MAX_TRANSACTION):
            counted += self._count_chunk(scan_id, number, chunk)
        return frozenset(addresses) - frozenset(counted)

    # ---- steps of the methods above

    def _key(self, scan_id: str, number: int, token: str = "") -> Item:
        """The shard's key; without a token, from what is stored with its scan."""
        if token:
            return shard_key(scan_id, number, token)
        layout = self._find_layout(scan_id)
        if layout.layout < LAYOUT and not layout.secret:
            return earlier_shard_key(scan_id, number)
        key = shard_key(scan_id, number, derive_shard_token(layout.secret, number))
        has_place = layout.layout >= LAYOUT or self._table.get(key, "pk")
        return key if has_place else earlier_shard_key(scan_id, number)

    def _shard_items(self, scan_id: str) -> Iterator[Item]:
        """The items of the scan's shards, in order of their number."""
        layout = self._find_layout(scan_id)
        if layout.layout >= LAYOUT:
            return self._table.partition(shards_partition(scan_id))
        earlier = self._table.children(f"scan/{scan_id}", EARLIER_SHARDS)
        moved = self._table.partition(shards_partition(scan_id)) if layout.secret else ()
        return merge(earlier, moved, key=read_shard_number)

    def _count_chunk(self, scan_id: str, number: int, addresses: list[str]) -> list[str]:
        """Count these addresses in one transaction. Returns those that no other shard counts."""
        table = self._table.name
        for _ in tries():
            actions = [count_address_action(table, scan_id, number, each) for each in addresses]
            failed = self._table.transact(actions)
            addresses = [each for index, each in enumerate(addresses) if index not in failed]
            if not failed or not addresses:
                return addresses
        raise GatewayUnavailable(f"{GATEWAY}: other shards kept counting the same addresses")

    def _close_together(self, scan_id: str, shards: list[Shard], closing: ShardClosing) -> int:
        """Close the shards in one transaction, without those that have moved since they were read.

        Returns how many were closed.
        """
        table = self._table.name
        while shards:
            actions = [
                close_action(
                    table,
                    self._key(scan_id, shard.number),
                    shard.number,
                    closing,
                    expected=counted_alike(shard.state),
                )
                for shard in shards
            ]
            was = Counter(COUNTER[shard.state] for shard in shards)
            used = sum((shard.total_usage(closing.closed_at) for shard in shards), NO_USAGE)
            counted = replace(closing, usage=used)
            actions.append(count_closed_action(table, scan_key(scan_id), counted, was=was))
            failed = self._table.transact(actions)
            if not failed:
                return len(shards)
            if len(shards) in failed:  # the scan was removed
                return 0
            shards = [shard for index, shard in enumerate(shards) if index not in failed]
        return 0

    def _update_if_held(
        self,
        move: life_cycle.Move,
        key: Item,
        attempt: int,
        change: str,
        values: Item,
    ) -> Item | None:
        """Change the shard, and return its item. None: this attempt does not hold the shard."""
        in_state, states = state_condition(move.expected)
        is_held = f"#attempt = :attempt AND {in_state}"
        values = values | to_values({":attempt": attempt} | states)
        return self._table.update(key, change, when=is_held, values=values)

    def _is_over(self, scan_id: str) -> bool:
        scan = self._table.get(scan_key(scan_id), "state")
        return scan is None or from_value(scan["state"]) in FINAL_STATES


def _weight(shard: Shard) -> int:
    """The size of the shard's item, since the items of a transaction have a limit together."""
    return item_size(shard_item(shard, shard_key(shard.scan_id, shard.number, "")))
