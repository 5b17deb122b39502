"""DynamoCascadeTable: the children of each scan, and the budget of each root scan.

Children are in the partition of their parent, the budget is in one of its own. The budget outlives
the root scan, whose items may expire while its cascade still grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from cascan.aws.dynamodb.table import DynamoTable, put_new, update
from cascan.aws.dynamodb.wire import (
    Item,
    build_key,
    encode_body,
    is_set,
    read_item,
    readable_items,
    to_values,
    unpack_body,
)
from cascan.aws.tables.issued_requests import issued_item
from cascan.clock import Clock, utc_now
from cascan.limits import BUDGET_DAYS, MAX_DECISIONS_KEPT
from cascan.model.cascade import (
    BudgetUse,
    CascadeLine,
    CascadeRecord,
    ChildIdentity,
    Reservation,
    StoredChild,
)


class DynamoCascadeTable:
    """CascadeTable on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)
        self._clock = clock

    def begin_cascade(self, scan_id: str, rules: Mapping[str, int]) -> CascadeRecord:
        record = CascadeRecord(rules=dict(rules))
        item = _cascade_key(scan_id) | {"body": encode_body(record)} | to_values({"decided": False})
        is_new = self._table.put_new(item)
        return record if is_new else self.cascade(scan_id) or record

    def cascade(self, scan_id: str) -> CascadeRecord | None:
        item = self._table.get(_cascade_key(scan_id))
        if not item:
            return None
        return read_item(item, _record_in)

    def spent(self, root_scan: str) -> BudgetUse:
        item = self._table.get(_budget_key(root_scan))
        return read_item(item, _spent_in) if item else BudgetUse()

    def asked(self, root_scan: str) -> Iterator[ChildIdentity]:
        items = self._table.children(f"cascade/{root_scan}", "asked/")
        return readable_items(items, _asked_in)

    def reserve_child(
        self,
        scan_id: str,
        root_scan: str,
        child: StoredChild,
        most: BudgetUse,
    ) -> Reservation:
        room = most - child.weight
        if min(room.scans, room.probes, room.cost_micro_usd) < 0:
            is_there = self._table.get(_child_key(scan_id, child.key)) is not None
            return Reservation.RESERVED if is_there else Reservation.FULL
        identity_key = build_key(f"cascade/{root_scan}", f"asked/{child.key}")
        identity = identity_key | {"body": encode_body(child.asked)}
        actions = [
            put_new(self._table.name, _child_item(scan_id, child)),
            put_new(self._table.name, identity | to_values({"expires_at": self._expires_at()})),
            self._reservation(root_scan, child.weight, room),
        ]
        if child.scan_id:  # cascan itself runs the child
            issued = issued_item(child.scan_id, child.body, self._clock)
            actions.append({"Put": {"TableName": self._table.name, "Item": issued}})
        failed = self._table.transact(actions)
        if 0 in failed or not failed:
            return Reservation.RESERVED
        return Reservation.ASKED if 1 in failed else Reservation.FULL

    def cascade_children(self, scan_id: str) -> Iterator[StoredChild]:
        return readable_items(self._table.children(f"scan/{scan_id}", "child/"), _child_in)

    def mark_sent(self, scan_id: str, key: str) -> None:
        self._table.update(
            _child_key(scan_id, key),
            "SET #sent = :yes",
            when="attribute_exists(pk)",
            values=to_values({":yes": True}),
        )

    def end_cascade(self, scan_id: str, lines: Sequence[CascadeLine]) -> None:
        record = self.cascade(scan_id) or CascadeRecord(rules={})
        stored_lines = tuple(lines[:MAX_DECISIONS_KEPT])
        record = msgspec.structs.replace(
            record,
            lines=stored_lines,
            more=len(lines) - len(stored_lines),
        )
        self._table.update(
            _cascade_key(scan_id),
            "SET #body = :body, #decided = :yes",
            when="attribute_exists(pk)",
            values={":body": encode_body(record)} | to_values({":yes": True}),
        )

    def _expires_at(self) -> int:
        return int((self._clock() + timedelta(days=BUDGET_DAYS)).timestamp())

    def _reservation(self, root_scan: str, weight: BudgetUse, room: BudgetUse) -> dict[str, Any]:
        """The action that counts the child, if what is reserved so far is within `room`."""
        fits = "#scans <= :room_scans AND #probes <= :room_probes AND #cost <= :room_cost"
        return update(
            self._table.name,
            _budget_key(root_scan),
            "ADD #scans :scans, #probes :probes, #cost :cost SET #expires_at = :expires_at",
            when=f"attribute_not_exists(pk) OR ({fits})",
            values=to_values(
                {
                    ":scans": weight.scans,
                    ":probes": weight.probes,
                    ":cost": weight.cost_micro_usd,
                    ":room_scans": room.scans,
                    ":room_probes": room.probes,
                    ":room_cost": room.cost_micro_usd,
                    ":expires_at": self._expires_at(),
                }
            ),
        )


def _child_item(scan_id: str, child: StoredChild) -> Item:
    body = {"body": encode_body(child)}
    return _child_key(scan_id, child.key) | body | to_values({"sent": child.sent})


def _child_in(item: Item) -> StoredChild:
    child = msgspec.json.decode(unpack_body(item), type=StoredChild)
    return msgspec.structs.replace(child, sent=is_set(item, "sent"))


def _record_in(item: Item) -> CascadeRecord:
    record = msgspec.json.decode(unpack_body(item), type=CascadeRecord)
    return msgspec.structs.replace(record, decided=is_set(item, "decided"))


def _asked_in(item: Item) -> ChildIdentity:
    return msgspec.json.decode(unpack_body(item), type=ChildIdentity)


def _spent_in(item: Item) -> BudgetUse:
    counters = ("scans", "probes", "cost")
    return BudgetUse(*(int(item[name]["N"]) if name in item else 0 for name in counters))


def _cascade_key(scan_id: str) -> Item:
    return build_key(f"scan/{scan_id}", "cascade")


def _child_key(scan_id: str, key: str) -> Item:
    return build_key(f"scan/{scan_id}", f"child/{key}")


def _budget_key(root_scan: str) -> Item:
    return build_key(f"cascade/{root_scan}", "budget")
