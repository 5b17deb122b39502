"""Build the actions of the transactions that move shards, each with its condition.

cascan.scans.transitions lists the states from which each move is allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cascan.aws.dynamodb.table import update
from cascan.aws.dynamodb.wire import Item, encode_body, find_names, to_values
from cascan.aws.tables.items import (
    address_item,
    encode_shard_body,
    scan_key,
    waiting_order,
    waiting_partition,
)
from cascan.model.scan import FINAL_STATES
from cascan.model.shard import IN_FLIGHT, Shard, ShardClosing, ShardState
from cascan.scans import transitions as life_cycle

# How many severities, categories and kinds of changes one shard may add to the scan's counters. An
# update expression may have 4 KB.
MAX_KINDS = 80
OTHER_KINDS = "(other)"  # counts all further ones, until finish_scan stores the exact counts
COUNTER = dict.fromkeys(IN_FLIGHT, "shards_in_flight") | {ShardState.WAITING: "shards_waiting"}


def state_action(
    table: str,
    move: life_cycle.Move,
    key: Item,
    change: str,
    values: dict[str, Any],
    *,
    when: str = "",
) -> dict[str, Any]:
    """The action that changes a shard, if its state allows the move and `when` holds."""
    in_state, states = state_condition(move.expected)
    condition = f"{in_state} AND {when}" if when else in_state
    return update(table, key, change, when=condition, values=to_values(values | states))


def close_action(
    table: str, key: Item, number: int, closing: ShardClosing, *, expected: Iterable[ShardState]
) -> dict[str, Any]:
    """The action that closes a shard, if it is in one of the states `expected`.

    The scan counts all these states with one counter.
    """
    in_state, states = state_condition(expected)
    plain = {":to": closing.state, ":outcome": closing.outcome, ":error": closing.error_description}
    values = to_values(plain | states) | {":reasons": encode_body(closing.reasons_at(number))}
    change = (
        "SET #state = :to, #outcome = :outcome, #error_description = :error, #reasons = :reasons "
        "REMOVE #listing, #listed_at, #progress, #cut"
    )
    return update(table, key, change, when=in_state, values=values)


def counted_alike(state: ShardState) -> frozenset[ShardState]:
    """The states that the scan counts together with this one."""
    return frozenset({state}) if state is ShardState.WAITING else IN_FLIGHT


def count_action(
    table: str,
    scan_id: str,
    increments: dict[str, int],
    *,
    when: str = "attribute_exists(pk)",
    values: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The action that adds to the scan's counters, if `when` holds for the scan's item.

    `values`: the values that `when` refers to.
    """
    change = "ADD " + ", ".join(f"#{name} :{name}" for name in increments)
    counts = {f":{name}": count for name, count in increments.items()}
    all_values = to_values(counts | (values or {}))
    return update(table, scan_key(scan_id), change, when=when, values=all_values)


def cut_action(table: str, key: Item, done: Shard) -> dict[str, Any]:
    """The action that reduces a shard to its finished part, if its attempt proposed that."""
    in_state, states = state_condition(life_cycle.CUT.expected)
    fields = {":to": done.state, ":attempt": done.attempt, ":remainder": done.remainder}
    values = to_values(fields | states)
    values |= {":body": encode_shard_body(done), ":run": encode_body(done.run)}
    change = "SET #state = :to, #body = :body, #run = :run, #remainder = :remainder REMOVE #cut"
    when = f"{in_state} AND #attempt = :attempt AND attribute_exists(#cut)"
    return update(table, key, change, when=when, values=values)


def delete_action(table: str, key: Item, when: str, values: Item) -> dict[str, Any]:
    """The action that removes an item, if `when` holds."""
    return {
        "Delete": {
            "TableName": table,
            "Key": key,
            "ConditionExpression": when,
            "ExpressionAttributeNames": find_names(when),
            "ExpressionAttributeValues": values,
        }
    }


def count_remainder_action(table: str, remainder: Shard) -> dict[str, Any]:
    """The action that counts the remainder in its scan.

    It fails if another shard has the remainder's number, or if the scan is over.
    """
    is_over, states = state_condition(FINAL_STATES)
    return count_action(
        table,
        remainder.scan_id,
        {"shards": 1, "shards_open": 1, COUNTER[remainder.state]: 1},
        when=f"#shards = :number AND NOT {is_over}",
        values={":number": remainder.number, **states},
    )


def count_closed_action(
    table: str,
    scan: Item,
    closing: ShardClosing,
    *,
    was: Mapping[str, int],
) -> dict[str, Any]:
    """The action that counts closed shards, and what they found, in their scan.

    `was`: how many of the shards are counted by shards_waiting, and by shards_in_flight.
    `closing`: the sum over all the shards.
    """
    number = sum(was.values())
    changes = ["#shards_open :closed", *(f"#{counter} :{counter}" for counter in was)]
    changes += ["#hosts_up :hosts_up", "#findings :findings", "#shard_outcomes.#outcome :number"]
    values = {
        ":closed": -number,
        ":hosts_up": closing.hosts_up,
        ":findings": closing.findings,
        ":number": number,
    }
    values |= {f":{counter}": -count for counter, count in was.items()}
    for name, used in closing.usage.counts.items():
        changes.append(f"#{name} :{name}")
        values[f":{name}"] = used
    if closing.extra_addresses:  # ADD creates the attribute, which earlier versions did not store
        changes.append("#extra_addresses :extra")
        values[":extra"] = closing.extra_addresses
    names = {"#outcome": closing.outcome.value}
    counts = {
        "severities": closing.severities,
        "categories": closing.categories,
        "changes": closing.changes,
    }
    for letter, (attribute, kinds) in zip("scn", counts.items(), strict=True):
        for index, (kind, count) in enumerate(_bound_kinds(kinds).items()):
            placeholder = f"{letter}{index}"  # a category may be any text
            changes.append(f"#{attribute}.#{placeholder} :{placeholder}")
            names[f"#{placeholder}"], values[f":{placeholder}"] = kind, count
    return update(
        table,
        scan,
        f"ADD {', '.join(changes)}",
        when="attribute_exists(pk)",
        values=to_values(values),
        names=names,
    )


def _bound_kinds(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of the commonest MAX_KINDS kinds, and the sum of the others as OTHER_KINDS."""
    commonest = (+Counter(counts)).most_common()
    others = sum(count for _, count in commonest[MAX_KINDS:])
    return dict(commonest[:MAX_KINDS]) | ({OTHER_KINDS: others} if others else {})


def count_address_action(table: str, scan_id: str, number: int, address: str) -> dict[str, Any]:
    """The action that counts an address of a name for this shard, unless another counts it."""
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
    """The condition that an item is in one of the states, and the values that it refers to."""
    values = {f":state{number}": state for number, state in enumerate(sorted(states))}
    return f"#state IN ({', '.join(values)})", values


def waiting_values(scan_id: str, number: int) -> dict[str, str]:
    """The values that put a shard in the index of those that wait."""
    return {":listing": waiting_partition(scan_id), ":listed_at": waiting_order(number)}
