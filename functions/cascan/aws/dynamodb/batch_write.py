"""Store or remove thousands of items with BatchWriteItem, on several connections at once.

boto3 spends 25 ms of CPU on the shapes, types and layers of 1,000 small items. Here each item is
encoded once, and one batch travels while the next is encoded, without threads.
benchmarks/writing.py measures both.

Raises: GatewayUnavailable: the table refused a batch, did not answer, or had not stored the batch
after MAX_THROTTLED_TRIES.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError, HTTPClientError

from cascan.aws.boundary import translate_errors, tries
from cascan.aws.dynamodb.connection_pool import (
    LONGEST_PAUSE_S,
    MAX_THROTTLED_TRIES,
    RetryBudget,
)
from cascan.aws.dynamodb.pipeline import Pipeline
from cascan.aws.dynamodb.wire import Item
from cascan.errors import GatewayUnavailable

if TYPE_CHECKING:
    from cascan.aws.dynamodb.connection_pool import AnyConnection

GATEWAY = "scan table"
OPERATION = "BatchWriteItem"
MAX_BATCH = 25  # items, by the service
MAX_BATCH_BYTES = 1_000_000  # the service accepts 16 MB; this bounds the memory for waiting batches

Key = tuple[str, str]
Batch = dict[Key, bytes]  # encoded put or delete requests, by the key of their item


def put_all(table: str, items: Iterable[Item]) -> None:
    """Store every item, over an existing one with its key. Of two with one key, the later stays."""
    _write_all(table, ((item, {"PutRequest": {"Item": item}}) for item in items))


def delete_all(table: str, keys: Iterable[Item]) -> None:
    """Remove every item that has one of the keys."""
    _write_all(table, ((key, {"DeleteRequest": {"Key": key}}) for key in keys))


def _write_all(table: str, requests: Iterable[tuple[Item, dict[str, Any]]]) -> None:
    with Pipeline[Batch](partial(_store, table)) as pipeline:
        for batch in _batches(requests):
            while any(batch.keys() & earlier.keys() for earlier in pipeline.in_flight):
                pipeline.finish_oldest()
            pipeline.send(OPERATION, _encode_body(table, batch.values()), batch)


def _batches(requests: Iterable[tuple[Item, dict[str, Any]]]) -> Iterator[Batch]:
    batch: Batch = {}  # a dict, because DynamoDB rejects a batch that has a key twice
    size = 0
    for key, request in requests:
        encoded = msgspec.json.encode(request)
        if len(batch) == MAX_BATCH or (batch and size + len(encoded) > MAX_BATCH_BYTES):
            yield batch
            batch, size = {}, 0
        batch[key["pk"]["S"], key["sk"]["S"]] = encoded
        size += len(encoded)
    if batch:
        yield batch


def _store(table: str, connection: AnyConnection, batch: Batch) -> None:
    """Read the answer to the batch sent on the connection; send again what is not stored."""
    unstored: Iterable[bytes] = batch.values()
    count, budget = len(batch), RetryBudget()
    for number in tries(MAX_THROTTLED_TRIES, LONGEST_PAUSE_S):
        with translate_errors(GATEWAY):
            try:
                if number:
                    connection.send(OPERATION, _encode_body(table, unstored))
                unstored = _unprocessed(table, connection.answer())
            except (ClientError, HTTPClientError) as exc:
                budget.record(exc)
            else:
                if not unstored:
                    return
                count = len(unstored)
    message = f"{GATEWAY}: {count} of {len(batch)} items were left unprocessed"
    raise GatewayUnavailable(message) from budget.latest_error


def _encode_body(table: str, requests: Iterable[bytes]) -> bytes:
    name = msgspec.json.encode(table)
    return b"".join((b'{"RequestItems":{', name, b":[", b",".join(requests), b"]}}"))


def _unprocessed(table: str, answer: dict[str, Any]) -> list[bytes]:
    """The requests that the table left unprocessed, encoded."""
    requests = answer.get("UnprocessedItems", {}).get(table, ())
    return [msgspec.json.encode(request) for request in requests]
