"""A query to the saved table → a statement for its file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

CONDITION = re.compile(
    r"(?P<hash>\w+) = (?P<partition>:\w+)"
    r"(?: AND (?:begins_with\((?P<prefixed>\w+), (?P<prefix>:\w+)\)"
    r"|(?P<between>\w+) BETWEEN (?P<low>:\w+) AND (?P<high>:\w+)"
    r"|(?P<compared>\w+) (?P<operator><=|>=|<|>|=) (?P<value>:\w+)))?"
)
Clause = tuple[str, list[str]]  # with its values
LAST_CHARACTER, BEFORE_SURROGATES, AFTER_SURROGATES = 0x10FFFF, 0xD7FF, 0xE000


class NotUnderstood(Exception):
    """The saved table does not answer such a request."""


class Keys(NamedTuple):
    """The columns of one order of the items: the partition, and what sorts the items in a partition."""

    partition: str
    sort: str
    columns: tuple[str, ...]  # that sort, and those that decide between equal ones


BY_KEY = Keys("pk", "sk", ("sk",))
BY_LISTING = Keys("listing", "listed_at", ("listed_at", "pk", "sk"))


def build_select(keys: Keys, request: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The statement for a query, and its values."""
    condition = CONDITION.fullmatch(request["KeyConditionExpression"])
    if condition is None or condition["hash"] != keys.partition:
        raise NotUnderstood
    values_by_name = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
    clauses, values = [f"{keys.partition} = ?"], [values_by_name[condition["partition"]]]
    for clause, bounds in _bound_sort_key(condition, keys, values_by_name):
        clauses.append(clause)
        values += bounds
    is_forward = request.get("ScanIndexForward", True)
    start = request.get("ExclusiveStartKey")
    if start:
        places = ", ".join("?" * len(keys.columns))
        clauses.append(f"({', '.join(keys.columns)}) {'>' if is_forward else '<'} ({places})")
        values += [start[column]["S"] for column in keys.columns]
    direction = "ASC" if is_forward else "DESC"
    order = ", ".join(f"{column} {direction}" for column in keys.columns)
    return f"SELECT item FROM items WHERE {' AND '.join(clauses)} ORDER BY {order}", values  # noqa: S608 - our columns


def _bound_sort_key(condition: re.Match[str], keys: Keys, values_by_name: Mapping[str, str]) -> Iterator[Clause]:
    """The clauses for the condition on the sort key, each with its values."""
    column = condition["prefixed"] or condition["between"] or condition["compared"]
    if column is None:
        return
    if column != keys.sort:
        raise NotUnderstood
    if condition["prefixed"]:
        prefix = values_by_name[condition["prefix"]]
        yield f"{column} >= ?", [prefix]
        end = _find_end(prefix)
        if end:
            yield f"{column} < ?", [end]
    elif condition["between"]:
        yield f"{column} BETWEEN ? AND ?", [values_by_name[condition["low"]], values_by_name[condition["high"]]]
    else:
        yield f"{column} {condition['operator']} ?", [values_by_name[condition["value"]]]


def _find_end(prefix: str) -> str:
    """The first text after all that begin with the prefix; empty: there is none."""
    beginning = prefix.rstrip(chr(LAST_CHARACTER))
    if not beginning:
        return ""
    code = ord(beginning[-1])
    return beginning[:-1] + chr(AFTER_SURROGATES if code == BEFORE_SURROGATES else code + 1)
