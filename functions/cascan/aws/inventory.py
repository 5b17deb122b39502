"""Sightings folded into the inventory's items, a transaction of up to 100 at a time.

A sighting that is newer than what is known replaces it; an older one only moves `first_seen` back; a repeat fails both
conditions and writes nothing. So deliveries that repeat, or come late and out of order, leave the same items.
"""

from __future__ import annotations

from collections.abc import Iterable

from cascan.aws.boundary import chunks
from cascan.aws.dynamo import MAX_TRANSACTION, DynamoTable, telling, update
from cascan.aws.items import Item, body_of, instant, port_key, version_of
from cascan.model.inventory import Sighting

REPLACE = "SET #body = :body, #version = :version, #first_seen = if_not_exists(#first_seen, :seen_at)"
IS_NEWER = "attribute_not_exists(pk) OR #version < :version"


def record(table: DynamoTable, sightings: Iterable[Sighting]) -> None:
    """Fold the sightings into the table; two of one port in any order are one of each."""
    for chunk in chunks(sightings, MAX_TRANSACTION):
        by_port: dict[tuple[str, str, int], list[Sighting]] = {}  # a transaction may not name an item twice
        for seen in chunk:
            by_port.setdefault((seen.address, seen.protocol, seen.port), []).append(seen)
        _replace_older(table, [max(several, key=version_of) for several in by_port.values()])
        for several in by_port.values():
            if len(several) > 1:
                _seen_before(table, min(several, key=version_of))


def _replace_older(table: DynamoTable, sightings: list[Sighting]) -> None:
    while sightings:
        known = table.transact([_replacement(table.name, seen) for seen in sightings])
        if not known:
            return
        for index, item in known.items():
            if not item or instant(sightings[index].seen_at) < item["first_seen"]["S"]:
                _seen_before(table, sightings[index])
        sightings = [seen for index, seen in enumerate(sightings) if index not in known]


def _replacement(table_name: str, seen: Sighting) -> dict[str, Item]:
    values: Item = {
        ":body": body_of(seen),
        ":version": {"S": version_of(seen)},
        ":seen_at": {"S": instant(seen.seen_at)},
    }
    return telling(update(table_name, port_key(seen), REPLACE, when=IS_NEWER, values=values))


def _seen_before(table: DynamoTable, seen: Sighting) -> None:
    values: Item = {":seen_at": {"S": instant(seen.seen_at)}}
    table.update(port_key(seen), "SET #first_seen = :seen_at", when="#first_seen > :seen_at", values=values)
