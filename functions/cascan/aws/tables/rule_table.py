"""DynamoRuleTable: cascading rules in the scan table.

Each rule has an item for its latest version, and one for every version. A deleted rule keeps its
item, which is marked, so that its versions continue to count if it is stored again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from cascan.aws.boundary import tries
from cascan.aws.dynamodb.table import DynamoTable, put_new, update
from cascan.aws.dynamodb.wire import (
    Item,
    build_key,
    encode_body,
    format_instant,
    read_item,
    readable_items,
    to_values,
    unpack_body,
)
from cascan.clock import Clock, utc_now
from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_RULES
from cascan.model.cascade import StoredRule

UNCHANGED = "attribute_not_exists(pk) OR #version = :before"
RULES = "rules"  # the partition of the latest versions


class DynamoRuleTable:
    """RuleTable on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)
        self._clock = clock

    def put_rule(self, name: str, document: Mapping[str, Any]) -> StoredRule:
        for _ in tries():
            item = self._table.get(_latest_key(name))
            latest = read_item(item, _rule_in) if item else None
            if latest and latest.document == dict(document) and not _is_deleted(item):
                return latest
            rule = StoredRule(
                name=name,
                version=latest.version + 1 if latest else 1,
                document=dict(document),
                stored_at=self._clock(),
            )
            if self._store(rule, UNCHANGED):
                return rule
        raise GatewayUnavailable(f"rule {name}: others kept storing it")

    def restore_rule(self, rule: StoredRule) -> bool:
        return self._store(rule, "attribute_not_exists(pk) OR #version < :version")

    def rules(self) -> Iterator[StoredRule]:
        items = (item for item in self._table.children(RULES, "rule/") if not _is_deleted(item))
        return islice(readable_items(items, _rule_in), MAX_RULES)

    def rule(self, name: str, version: int) -> StoredRule | None:
        item = self._table.get(build_key(f"rule/{name}", f"version/{version:06d}"))
        return read_item(item, _rule_in) if item else None

    def delete_rule(self, name: str) -> bool:
        deleted = self._table.update(
            _latest_key(name),
            "SET #deleted = :yes",
            when="attribute_exists(pk) AND attribute_not_exists(#deleted)",
            values=to_values({":yes": True}),
        )
        return deleted is not None

    def _store(self, rule: StoredRule, when: str) -> bool:
        """Store a version and make it the latest, if `when` holds for the current latest one."""
        version = put_new(self._table.name, _version_item(rule))
        return not self._table.transact([self._as_latest(rule, when), version])

    def _as_latest(self, rule: StoredRule, when: str) -> dict[str, Any]:
        """The action that makes the rule the latest. `when` may test #version, the current one."""
        values = to_values({":version": rule.version, ":at": format_instant(_stored_at(rule))})
        if ":before" in when:
            values |= to_values({":before": rule.version - 1})
        return update(
            self._table.name,
            _latest_key(rule.name),
            "SET #body = :body, #version = :version, #stored_at = :at REMOVE #deleted",
            when=when,
            values=values | {":body": encode_body(rule.document)},
        )


def _version_item(rule: StoredRule) -> Item:
    return (
        build_key(f"rule/{rule.name}", f"version/{rule.version:06d}")
        | {"body": encode_body(rule.document)}
        | to_values({"version": rule.version, "stored_at": format_instant(_stored_at(rule))})
    )


def _rule_in(item: Item) -> StoredRule:
    document = msgspec.json.decode(unpack_body(item))
    return StoredRule(
        name=document["metadata"]["name"],
        version=int(item["version"]["N"]),
        document=document,
        stored_at=datetime.fromisoformat(item["stored_at"]["S"]) if "stored_at" in item else None,
    )


def _stored_at(rule: StoredRule) -> datetime:
    return rule.stored_at or utc_now()


def _is_deleted(item: Item | None) -> bool:
    return item is not None and "deleted" in item


def _latest_key(name: str) -> Item:
    return build_key(RULES, f"rule/{name}")
