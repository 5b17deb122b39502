"""DynamoDelayedMessages: messages that are sent later, in the scan table.

    what     pk       sk                            attributes
    ───────  ───────  ────────────────────────────  ──────────
    delayed  delayed  <instant>/<hash of the body>  body

A function does not wait by sending a message to itself: AWS stops a function that its own message
invokes for the 16th time, even if a queue delays the message. So on_minute_passed sends the
messages that are due.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import Item, build_key, format_instant
from cascan.clock import Clock, utc_now
from cascan.gateways import DelayedMessage

DELAYED = "delayed"
PAST_ANY_HASH = "/~"  # sorts after every hash


class DynamoDelayedMessages:
    """DelayedMessages on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)
        self._clock = clock

    def send(self, body: str, *, delay_s: int = 0) -> str:
        due_at = self._clock() + timedelta(seconds=delay_s)
        digest = hashlib.sha256(body.encode()).hexdigest()
        key = f"{format_instant(due_at)}/{digest[:16]}"
        self._table.put(build_key(DELAYED, key) | {"body": {"S": body}})
        return key

    def due(self, now: datetime, limit: int) -> Iterator[DelayedMessage]:
        latest_key = format_instant(now) + PAST_ANY_HASH
        oldest_first = self._table.query(
            KeyConditionExpression="pk = :delayed AND sk <= :now",
            ExpressionAttributeValues={":delayed": {"S": DELAYED}, ":now": {"S": latest_key}},
            ConsistentRead=True,
            Limit=max(1, limit),
        )
        return map(_read_message, islice(oldest_first, limit))

    def done(self, message: DelayedMessage) -> None:
        self._table.delete(build_key(DELAYED, message.key))


def _read_message(item: Item) -> DelayedMessage:
    return DelayedMessage(item["sk"]["S"], item.get("body", {}).get("S", ""))
