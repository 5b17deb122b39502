"""The actions that shards' moves are transactions of: each with its condition, and nothing is written here.

transitions.py says from which states a move is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cascan.aws.dynamodb.table import update
from cascan.aws.dynamodb.wire import Item, encode_body, to_values
from cascan.aws.tables.items import address_item, encode_shard_body, scan_key, shard_key, waiting_partition
from cascan.model.scan import FINAL_STATES
from cascan.model.shard import IN_FLIGHT, Shard, ShardClosing, ShardState
from cascan.scans import transitions as life_cycle

COUNTER = dict.fromkeys(IN_FLIGHT, "shards_in_flight") | {ShardState.WAITING: "shards_waiting"}


def state_action(
    table: str, move: life_cycle.Move, key: Item, change: str, values: dict[str, Any], *, when: str = ""
) -> dict[str, Any]:
    """The shard is changed, if it is in a state that the move is made from, and `when`."""
    is_there, states = state_condition(move.expected)
    condition = f"{is_there} AND {when}" if when else is_there
    return update(table, key, change, when=condition, values=to_values(values | states))


def close_action(
    table: str, scan_id: str, number: int, closing: ShardClosing, *, expected: Iterable[ShardState]
) -> dict[str, Any]:
    """The shard is closed, if it is in one of the states `expected`: all of them counted by one counter of the scan."""
    is_there, states = state_condition(expected)
    plain = {":to": closing.state, ":outcome": closing.outcome, ":error": closing.error_description}
    values = to_values(plain | states) | {":reasons": encode_body(closing.reasons_at(number))}
    change = (
        "SET #state = :to, #outcome = :outcome, #error_description = :error, #reasons = :reasons "
        "REMOVE #listing, #listed_at, #progress"
    )
    return update(table, shard_key(scan_id, number), change, when=is_there, values=values)


def counted_alike(state: ShardState) -> frozenset[ShardState]:
    """The states that the scan counts together with this one."""
    return frozenset({state}) if state is ShardState.WAITING else IN_FLIGHT


def count_action(
    table: str,
    scan_id: str,
    more: dict[str, int],
    *,
    when: str = "attribute_exists(pk)",
    values: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The scan's counters are so much more, on the condition `when` on the scan's item, in terms of `values`."""
    change = "ADD " + ", ".join(f"#{name} :{name}" for name in more)
    counts = {f":{name}": count for name, count in more.items()}
    return update(table, scan_key(scan_id), change, when=when, values=to_values(counts | (values or {})))


def cut_action(table: str, done: Shard) -> dict[str, Any]:
    """The shard that was cut is what was done of it; by its holder alone."""
    is_there, states = state_condition(life_cycle.CUT.expected)
    values = to_values({":to": done.state, ":attempt": done.attempt, ":remainder": done.remainder} | states)
    values |= {":body": encode_shard_body(done), ":run": encode_body(done.run)}
    change = "SET #state = :to, #body = :body, #run = :run, #remainder = :remainder"
    key, when = shard_key(done.scan_id, done.number), f"{is_there} AND #attempt = :attempt"
    return update(table, key, change, when=when, values=values)


def count_remainder_action(table: str, rest: Shard) -> dict[str, Any]:
    """The remainder, counted in its scan; fails when another has its number, or the scan is over."""
    is_over, states = state_condition(FINAL_STATES)
    return count_action(
        table,
        rest.scan_id,
        {"shards": 1, "shards_open": 1, COUNTER[rest.state]: 1},
        when=f"#shards = :number AND NOT {is_over}",
        values={":number": rest.number, **states},
    )


def count_address_action(table: str, scan_id: str, number: int, address: str) -> dict[str, Any]:
    """The address of a name is counted for this shard, if it is not for another."""
    return {
        "Put": {
            "TableName": table,
            "Item": address_item(scan_id, number, address),
            "ConditionExpression": "attribute_not_exists(pk) OR #shard = :shard",
            "ExpressionAttributeNames": {"#shard": "shard"},
            "ExpressionAttributeValues": {":shard": {"N": str(number)}},
        }
    }


def state_condition(states: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The condition that an item is in one of the states, and its values."""
    values = {f":state{number}": state for number, state in enumerate(sorted(states))}
    return f"#state IN ({', '.join(values)})", values


def waiting_values(scan_id: str, number: int) -> dict[str, str]:
    """What stands for a shard's place among those of its scan that wait."""
    return {":listing": waiting_partition(scan_id), ":listed_at": shard_key(scan_id, number)["sk"]["S"]}
