"""DynamoMuteTable: mutes and what they hold, in the scan table.

what           pk                  sk            attributes
─────────────  ──────────────────  ────────────  ──────────────────────────────────────────
mute           mutes               <mute id>     body, version; expires_at, once it is closed
held message   mutes/<mute id>     <thread key>  body, held_order, expires_at
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

import msgspec

from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import Item, build_key, encode_body, readable_items, to_values, unpack_text
from cascan.clock import Clock, utc_now
from cascan.limits import CLOSED_MUTE_DAYS, MAX_LISTED_MUTES, NOTICE_DAYS
from cascan.model.mute import HeldMessage, StoredMute

MUTES = "mutes"


class DynamoMuteTable:
    """Mutes on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)

    def list_mutes(self) -> list[StoredMute]:
        items = self._table.partition(MUTES)
        return list(islice(readable_items(items, _read_mute), MAX_LISTED_MUTES))

    def put_mute(self, mute: StoredMute) -> bool:
        attributes: dict[str, int] = {"version": mute.revision}
        if mute.closed_at:
            attributes["expires_at"] = int((mute.closed_at + timedelta(days=CLOSED_MUTE_DAYS)).timestamp())
        item = build_key(MUTES, mute.mute_id) | {"body": encode_body(mute)} | to_values(attributes)
        return self._table.put_version(item, mute.revision)

    def hold_message(self, mute: StoredMute, message: HeldMessage) -> None:
        expires_at = int((mute.ends_at + timedelta(days=NOTICE_DAYS)).timestamp())
        item = build_key(_held_by(mute.mute_id), message.key) | {"body": encode_body(message)}
        self._table.put_later(item | to_values({"expires_at": expires_at, "held_order": message.order}), "held_order")

    def list_held(self, mute_id: str, *, after: str, limit: int) -> list[HeldMessage]:
        values = {":pk": {"S": _held_by(mute_id)}}
        condition = "pk = :pk"
        if after:
            condition += " AND sk > :after"
            values[":after"] = {"S": after}
        items = self._table.query(
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            Limit=limit,
        )
        return list(islice(readable_items(items, _read_held), limit))


def _held_by(mute_id: str) -> str:
    return f"{MUTES}/{mute_id}"


def _read_mute(item: Item) -> StoredMute:
    return msgspec.json.decode(unpack_text(item["body"]), type=StoredMute)


def _read_held(item: Item) -> HeldMessage:
    return msgspec.json.decode(unpack_text(item["body"]), type=HeldMessage)
