"""Closed shards, counted in their scan: the update of the scan's counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from cascan.aws.dynamodb.table import update
from cascan.aws.dynamodb.wire import Item, to_values
from cascan.model.shard import ShardClosing

MAX_KINDS = 80  # of severities and of categories counted for one shard: an update expression ends at 4 KB
OTHER_KINDS = "(other)"  # the rest of them, until finish_scan stores the exact counts


def count_closed_action(table: str, scan: Item, closing: ShardClosing, *, was: Mapping[str, int]) -> dict[str, Any]:
    """Fewer open shards, also among those they were counted with, and what they found: the transaction's action.

    `was`: how many of the shards each counter holds, shards_waiting or shards_in_flight. `closing`: of all together.
    """
    number = sum(was.values())
    changes = ["#shards_open :closed", *(f"#{counter} :{counter}" for counter in was)]
    changes += ["#hosts_up :hosts_up", "#findings :findings", "#shard_outcomes.#outcome :number"]
    values = {":closed": -number, ":hosts_up": closing.hosts_up, ":findings": closing.findings, ":number": number}
    values |= {f":{counter}": -count for counter, count in was.items()}
    if closing.extra_addresses:  # a scan of an earlier version has no such attribute: ADD makes one
        changes.append("#extra_addresses :extra")
        values[":extra"] = closing.extra_addresses
    names = {"#outcome": closing.outcome.value}
    counts = (("severities", closing.severities), ("categories", closing.categories), ("changes", closing.changes))
    for letter, (counted, kinds) in zip("scn", counts, strict=True):
        for number, (kind, count) in enumerate(_bounded(kinds).items()):
            short = f"{letter}{number}"  # a category is any text, so it travels as a name's value
            changes.append(f"#{counted}.#{short} :{short}")
            names[f"#{short}"], values[f":{short}"] = kind, count
    change = f"ADD {', '.join(changes)}"
    return update(table, scan, change, when="attribute_exists(pk)", values=to_values(values), names=names)


def _bounded(counts: Mapping[str, int]) -> dict[str, int]:
    """The commonest kinds that were counted at all; what lies beyond MAX_KINDS is counted as one."""
    commonest = (+Counter(counts)).most_common()
    rest = sum(count for _, count in commonest[MAX_KINDS:])
    return dict(commonest[:MAX_KINDS]) | ({OTHER_KINDS: rest} if rest else {})
