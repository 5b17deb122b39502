"""Read many items with BatchGetItem, which is repeated for the keys that it left unprocessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cascan.aws.boundary import chunks, translate_errors, tries
from cascan.aws.dynamodb import connection_pool
from cascan.aws.dynamodb.wire import Item
from cascan.errors import GatewayUnavailable

GATEWAY = "scan table"
MAX_BATCH = 100  # keys, by the service


def get_all(table: str, keys: Iterable[Item]) -> Iterator[Item]:
    """The items that exist, read consistently, in no particular order. No key may occur twice.

    Raises: GatewayUnavailable: the service did not answer, or items were unread after MAX_TRIES.
    """
    for chunk in chunks(keys, MAX_BATCH):
        yield from _batch(table, chunk)


def _batch(table: str, keys: list[Item]) -> Iterator[Item]:
    for _ in tries():
        request: Any = {table: {"Keys": keys, "ConsistentRead": True}}
        with translate_errors(GATEWAY):
            answer = connection_pool.call("BatchGetItem", {"RequestItems": request})
        yield from answer["Responses"].get(table, [])
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not keys:
            return
    raise GatewayUnavailable(f"{GATEWAY}: {len(keys)} items were left unread")
