"""The table as the last stack of a state directory saved it, for commands that only read.

It answers the reads that the gateways send to DynamoDB, in the same form, from a file that save_table.py
writes. Nothing of the file is in memory but the page of an answer. A request that it does not
understand, such as any write, it leaves to the emulator, which is started for it.
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cascan_cli.local.save_table import FORMAT, identify
from cascan_cli.local.saved_query import BY_KEY, BY_LISTING, NotUnderstood, build_select

if TYPE_CHECKING:
    from pathlib import Path

    from cascan_cli.local.state import StateDir

PAGE_BYTES = 1_000_000  # of an answer to a query
INDEX = "listing"
UNDERSTOOD = frozenset(
    {
        "TableName",
        "IndexName",
        "KeyConditionExpression",
        "ExpressionAttributeValues",
        "ExpressionAttributeNames",
        "ProjectionExpression",
        "ExclusiveStartKey",
        "ScanIndexForward",
        "ConsistentRead",
        "Limit",
    }
)


class SavedTable:
    """An open file. It stays readable when a stack that starts removes it."""

    def __init__(self, path: Path) -> None:
        """Raises: sqlite3.Error: it cannot be read."""
        # The file is never changed, so it needs no locks
        self._file = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        self._lock = threading.Lock()
        rows = self._file.execute("SELECT name, value FROM about")
        self._about: Mapping[str, Any] = {name: json.loads(value) for name, value in rows}

    @property
    def saved_at(self) -> datetime:
        return datetime.fromtimestamp(self._about["saved_at"], UTC)

    @property
    def scan_states(self) -> frozenset[str]:
        """Each state that a scan of the table has."""
        return frozenset(self._about["scan_states"])

    @property
    def next_message_at(self) -> float:
        """When the next message of the stack's queues can be received, in epoch seconds; infinite: they are empty."""
        at = self._about["next_message_at"]
        return math.inf if at is None else float(at)

    @property
    def name(self) -> str:
        return str(self._about["table"])

    def was_saved_with(self, emulator_state: Path) -> bool:
        """Whether the file has our format, and was written with this state of the emulator."""
        if self._about.get("format") != FORMAT:
            return False
        try:
            return bool(self._about["saved_with"] == identify(emulator_state))
        except OSError:
            return False

    def close(self) -> None:
        self._file.close()

    def answer(self, operation: str, body: bytes) -> bytes | None:
        """DynamoDB's answer to the request. None: only a stack can answer it."""
        request = msgspec.json.decode(body, type=dict[str, Any])
        try:
            with self._lock:
                return self._answer(operation, request)
        except (NotUnderstood, sqlite3.Error, LookupError, TypeError, ValueError):
            return None

    def _answer(self, operation: str, request: dict[str, Any]) -> bytes:
        if operation == "BatchGetItem":
            return self._answer_batch(request)
        if request.keys() - UNDERSTOOD - {"Key"} or request["TableName"] != self.name:
            raise NotUnderstood
        if operation == "GetItem":
            item = self._get(request["Key"])
            return b"{}" if item is None else b'{"Item":' + _project([item], request)[0] + b"}"
        if operation == "Query":
            return self._query(request)
        raise NotUnderstood

    def _answer_batch(self, request: dict[str, Any]) -> bytes:
        ((name, asked),) = request["RequestItems"].items()
        if name != self.name or asked.keys() - {"Keys", "ConsistentRead"}:
            raise NotUnderstood
        found = [item for key in asked["Keys"] if (item := self._get(key)) is not None]
        table = msgspec.json.encode(name)
        return b'{"Responses":{' + table + b":[" + b",".join(found) + b']},"UnprocessedKeys":{}}'

    def _get(self, key: Mapping[str, Any]) -> bytes | None:
        values = (key["pk"]["S"], key["sk"]["S"])
        row = self._file.execute("SELECT item FROM items WHERE pk = ? AND sk = ?", values).fetchone()
        return row[0] if row else None

    def _query(self, request: dict[str, Any]) -> bytes:
        index = request.get("IndexName")
        if index not in (None, INDEX):
            raise NotUnderstood
        keys = BY_LISTING if index else BY_KEY
        sql, values = build_select(keys, request)
        cursor = self._file.execute(sql, values)
        try:
            page, has_more = _read_page(cursor, request.get("Limit"))
        finally:
            cursor.close()
        fields = [b'"Items":[' + b",".join(_project(page, request)) + b"]"]
        fields += [b'"Count":%d,"ScannedCount":%d' % (len(page), len(page))]
        if has_more:
            end = msgspec.json.decode(page[-1], type=dict[str, Any])
            key = {name: end[name] for name in ("pk", "sk", keys.partition, keys.sort)}
            fields.append(b'"LastEvaluatedKey":' + msgspec.json.encode(key))
        return b"{" + b",".join(fields) + b"}"


def open_saved_table(state: StateDir) -> SavedTable | None:
    """The table of the last stack, if nothing has run in the directory since it ended in order.

    A stack that starts removes the file and then the exit status, before it changes anything.
    """
    if not state.is_saved():
        return None
    try:
        table = SavedTable(state.saved_table)
    except (sqlite3.Error, ValueError):
        return None
    with suppress(LookupError, TypeError):  # it names no state
        if table.was_saved_with(state.emulator_state) and state.is_saved():
            return table
    table.close()
    return None


def _read_page(rows: Iterator[tuple[bytes]], limit: int | None) -> tuple[list[bytes], bool]:
    """The items of an answer, and whether it ended before the rows did, as DynamoDB ends it."""
    page: list[bytes] = []
    size = 0
    for (item,) in rows:
        page.append(item)
        size += len(item)
        if len(page) == limit or size >= PAGE_BYTES:
            return page, True
    return page, False


def _project(items: list[bytes], request: Mapping[str, Any]) -> list[bytes]:
    """The items with the attributes that the request names; all of them if it names none."""
    expression = request.get("ProjectionExpression")
    if not expression:
        return items
    names = [_resolve(name.strip(), request) for name in expression.split(",")]
    decoded = (msgspec.json.decode(item, type=dict[str, Any]) for item in items)
    return [msgspec.json.encode({name: item[name] for name in names if name in item}) for item in decoded]


def _resolve(name: str, request: Mapping[str, Any]) -> str:
    if name.startswith("#"):
        return str(request["ExpressionAttributeNames"][name])
    if not name.isidentifier():
        raise NotUnderstood
    return name
