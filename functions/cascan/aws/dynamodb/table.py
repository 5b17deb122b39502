"""One DynamoDB table.

Reads follow the pages and skip expired items. Conditional writes return whether their condition
held. Every method raises GatewayUnavailable if the service does not answer, or if something is not
stored after MAX_TRIES.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from uuid import uuid4

from botocore.exceptions import ClientError

from cascan.aws import clients
from cascan.aws.boundary import error_code, translate_errors, tries
from cascan.aws.dynamodb import batch_write, connection_pool, pipeline
from cascan.aws.dynamodb.pipeline import Write
from cascan.aws.dynamodb.wire import Item, Value, find_names
from cascan.clock import Clock, utc_now
from cascan.errors import GatewayUnavailable

GATEWAY = "scan table"
MAX_TRANSACTION = 100  # TransactWriteItems
MAX_TRANSACTION_BYTES = 3_900_000  # TransactWriteItems accepts 4 MB
CONDITION_FAILED = "ConditionalCheckFailed"
CANCELLED = "TransactionCanceledException"
CONFLICT = "TransactionConflictException"  # a transaction holds the item; botocore does not retry
# Reasons why a transaction was cancelled that may not apply to the next try.
TEMPORARY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class Page(NamedTuple):
    """A page of a table, and the key with which it ended. None: it is the last."""

    items: list[Item]
    end: Item | None


class DynamoTable:
    def __init__(self, name: str, clock: Clock = utc_now) -> None:
        self.name = name
        self.clock = clock

    def get(self, key: Item, *attributes: str) -> Item | None:
        """The item, read consistently: all of it, or only the attributes that are named."""
        request: dict[str, Any] = {"TableName": self.name, "Key": key, "ConsistentRead": True}
        if attributes:
            placeholders = [f"#{name}" for name in (*attributes, "expires_at")]
            request |= {
                "ProjectionExpression": ", ".join(placeholders),
                "ExpressionAttributeNames": find_names(*placeholders),
            }
        with translate_errors(GATEWAY):
            answer = clients.dynamodb().get_item(**request)
        item: Any = answer.get("Item")
        return item if item and self._is_live(item) else None

    def query(self, **query: Any) -> Iterator[Item]:
        """Items in order of their sort key. Each page is read when it is needed."""
        while True:
            with translate_errors(GATEWAY):
                page = connection_pool.call("Query", {"TableName": self.name, **query})
            # The items that are read already need no memory: a page may have a megabyte
            items = page["Items"]
            items.reverse()
            while items:
                item = items.pop()
                if self._is_live(item):
                    yield item
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def first_pages(self, queries: Iterable[dict[str, Any]]) -> list[Page]:
        """The first page of each query. The queries are made at once."""
        requests = ({"TableName": self.name, **query} for query in queries)
        answers = pipeline.read_each("Query", requests)
        return [Page(list(filter(self._is_live, page["Items"])), page.get("LastEvaluatedKey")) for page in answers]

    def children(self, pk: str, prefix: str) -> Iterator[Item]:
        """The items of a partition whose sort key begins with `prefix`, read consistently."""
        return self.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": prefix}},
            ConsistentRead=True,
        )

    def between(self, pk: str, low: str, high: str) -> Iterator[Item]:
        """The items of a partition with a sort key from `low` to `high`, read consistently."""
        return self.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={":pk": {"S": pk}, ":low": {"S": low}, ":high": {"S": high}},
            ConsistentRead=True,
        )

    def partition(self, pk: str, *, page_items: int = 0) -> Iterator[Item]:
        """The items of a partition, read consistently.

        `page_items`: read at once, for less memory; 0: as many as a page has, up to a megabyte.
        """
        limit = {"Limit": page_items} if page_items else {}
        return self.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
            **limit,
        )

    def scan_all(self, after: Item | None = None, **request: Any) -> Iterator[Page]:
        """All items of the table, in pages; those of a partition follow each other by sort key.

        `after`: only the items after this key, with which an earlier page ended.
        """
        while True:
            start = {"ExclusiveStartKey": after} if after else {}
            with translate_errors(GATEWAY):
                answer = connection_pool.call(
                    "Scan", {"TableName": self.name, "ConsistentRead": True, **request, **start}
                )
            after = answer.get("LastEvaluatedKey")
            yield Page(list(filter(self._is_live, answer["Items"])), after)
            if after is None:
                return

    def keys(self, pk: str) -> Iterator[Item]:
        """The keys of a partition's items."""
        return self.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )

    def put_new(self, item: Item) -> bool:
        """Store a new item. False: an item with this key exists, and stays as it is."""
        request = put_new(self.name, item)["Put"]
        return self._conditional("put_item", request) is not None

    def put(self, item: Item) -> None:
        """Store the item, over an existing one with its key."""
        with translate_errors(GATEWAY):
            clients.dynamodb().put_item(TableName=self.name, Item=item)

    def put_version(self, item: Item, version: int) -> bool:
        """Store this version of the item over the preceding one. The first is 1.

        False: another version is stored.
        """
        request: dict[str, Any] = {"TableName": self.name, "Item": item}
        if version > 1:
            request["ConditionExpression"] = "version = :before"
            request["ExpressionAttributeValues"] = {":before": {"N": str(version - 1)}}
        else:
            request["ConditionExpression"] = "attribute_not_exists(pk)"
        return self._conditional("put_item", request) is not None

    def put_later(self, item: Item, order: str) -> bool:
        """Store the item, unless one is stored whose attribute `order` is greater. False: there is one."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(pk) OR #order <= :order",
            "ExpressionAttributeNames": {"#order": order},
            "ExpressionAttributeValues": {":order": item[order]},
        }
        return self._conditional("put_item", request) is not None

    def put_further(self, item: Item, progress: int, writer: str) -> bool:
        """Store the item over one with less progress.

        False: the stored item has more progress, or as much by another writer. An item of the same
        writer is overwritten, so that a write whose answer was lost succeeds when it is repeated.
        """
        order: Item = {"progress": {"N": str(progress)}, "writer": {"S": writer}}
        further = "#progress < :progress OR (#progress = :progress AND #writer = :writer)"
        request = {
            "TableName": self.name,
            "Item": item | order,
            "ConditionExpression": f"attribute_not_exists(pk) OR {further}",
            "ExpressionAttributeNames": find_names(further),
            "ExpressionAttributeValues": {f":{name}": value for name, value in order.items()},
        }
        return self._conditional("put_item", request) is not None

    def delete(self, key: Item) -> None:
        """Remove the item, if it exists."""
        with translate_errors(GATEWAY):
            clients.dynamodb().delete_item(TableName=self.name, Key=key)

    def update(self, key: Item, change: str, *, when: str, values: Item) -> Item | None:
        """Change the item. Returns it after the change. None: the condition `when` did not hold."""
        request = update(self.name, key, change, when=when, values=values)["Update"]
        answer = self._conditional("update_item", request | {"ReturnValues": "ALL_NEW"})
        return None if answer is None else answer["Attributes"]

    def put_all(self, items: Iterable[Item]) -> None:
        """Store every item, over an existing one. Of two with the same key, the later stays."""
        batch_write.put_all(self.name, items)

    def write_each(self, writes: Iterable[Write]) -> list[bool]:
        """Make each write by itself. Returns whether its condition held, for each in order."""
        return pipeline.write_each(writes)

    def delete_all(self, keys: Iterable[Item]) -> None:
        """Remove every item that has one of the keys."""
        batch_write.delete_all(self.name, keys)

    def transact(self, actions: list[dict[str, Any]]) -> dict[int, Item]:
        """Write all of up to MAX_TRANSACTION actions, or none of them.

        Returns the actions whose condition failed, by index. Each comes with its current item if
        the action sets ReturnValuesOnConditionCheckFailure. Empty: all actions are written.
        """
        latest: ClientError | None = None
        for _ in tries():
            token = str(uuid4())  # makes a repeated call harmless
            request = {"TransactItems": actions, "ClientRequestToken": token}
            with translate_errors(GATEWAY):
                try:
                    connection_pool.call("TransactWriteItems", request)
                except ClientError as exc:
                    if error_code(exc) != CANCELLED:
                        raise
                    latest, failed = exc, _failed_conditions(exc)
                    if failed:
                        return failed
                else:
                    return {}
        message = f"{GATEWAY}: other writers kept cancelling a transaction"
        raise GatewayUnavailable(message) from latest

    def _conditional(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        latest: ClientError | None = None
        for _ in tries():
            with translate_errors(GATEWAY):
                try:
                    answer: dict[str, Any] = getattr(clients.dynamodb(), operation)(**request)
                except ClientError as exc:
                    if error_code(exc) == "ConditionalCheckFailedException":
                        return None
                    if error_code(exc) != CONFLICT:
                        raise
                    latest = exc
                else:
                    return answer
        raise GatewayUnavailable(f"{GATEWAY}: other writers kept holding an item") from latest

    def _is_live(self, item: Mapping[str, Any]) -> bool:
        """Whether the time to live has not passed. DynamoDB deletes expired items days later."""
        expires_at: Value | None = item.get("expires_at")
        return expires_at is None or float(expires_at["N"]) > self.clock().timestamp()


class TablePart:
    """The base class of the parts from which the gateway to the table is composed."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table


def put_new(table: str, item: Item) -> dict[str, Any]:
    """The action of a transaction that stores an item, and fails if its key exists."""
    condition = "attribute_not_exists(pk)"
    return {"Put": {"TableName": table, "Item": item, "ConditionExpression": condition}}


def update(
    table: str,
    key: Item,
    change: str,
    *,
    when: str,
    values: Item,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The action of a transaction that changes an item.

    In the expressions, `#name` refers to the attribute `name`.
    """
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": change,
            "ConditionExpression": when,
            "ExpressionAttributeNames": find_names(change, when) | dict(names or {}),
            "ExpressionAttributeValues": values,
        }
    }


def return_on_conflict(action: dict[str, Any]) -> dict[str, Any]:
    """The action, changed to return its current item when its condition fails."""
    ((kind, request),) = action.items()
    return {kind: request | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}


def _failed_conditions(exc: ClientError) -> dict[int, Item]:
    """The actions whose condition failed.

    Raises: the error itself, if the transaction was cancelled for a reason that is not temporary.
    """
    response: Mapping[str, Any] = exc.response
    reasons: list[dict[str, Any]] = response.get("CancellationReasons", [])
    failed = {
        index: reason.get("Item") or {}  # no item, if the action did not ask for it
        for index, reason in enumerate(reasons)
        if reason["Code"] == CONDITION_FAILED
    }
    if not failed and {reason["Code"] for reason in reasons} - {"None"} - TEMPORARY:
        raise exc
    return failed
