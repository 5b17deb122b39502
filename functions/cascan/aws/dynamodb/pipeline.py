"""Several calls in flight at once, each on a connection of its own, without threads.

While one call travels, the next is encoded. `write_each` makes single writes this way: a
conditional put costs half of what it costs in a transaction, and an update has no batch.
`read_each` makes reads that do not depend on each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

import msgspec
from botocore.exceptions import ClientError, HTTPClientError

from cascan.aws.boundary import error_code, translate_errors, tries
from cascan.aws.dynamodb.connection_pool import (
    FOR_SINGLE_CALLS,
    LONGEST_PAUSE_S,
    MAX_THROTTLED_TRIES,
    RetryBudget,
    free_connections,
)
from cascan.errors import GatewayUnavailable

if TYPE_CHECKING:
    from cascan.aws.dynamodb.connection_pool import AnyConnection

GATEWAY = "scan table"
CONDITION_FAILED = "ConditionalCheckFailedException"
CONFLICT = "TransactionConflictException"  # a transaction holds the item
T = TypeVar("T")


class Pipeline(Generic[T]):
    """Calls that were sent and not answered yet, each with a value that belongs to it.

    `finish` reads the answer on the connection. It is called in the order of sending.
    """

    def __init__(self, finish: Callable[[AnyConnection, T], None]) -> None:
        self._finish = finish
        self._free = free_connections()
        self._sent: deque[tuple[AnyConnection, T]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while error is None and self._sent:
                self.finish_oldest()
        finally:
            for connection, _ in self._sent:  # only after an error, which leaves answers unread
                connection.close()
                self._free.append(connection)

    @property
    def in_flight(self) -> Iterable[T]:
        return (value for _, value in self._sent)

    def send(self, operation: str, body: bytes, value: T) -> None:
        """Send a call. If no connection is free for it, the oldest call is finished first."""
        while len(self._free) <= FOR_SINGLE_CALLS:
            self.finish_oldest()
        connection = self._free.pop()
        self._sent.append((connection, value))
        with translate_errors(GATEWAY):
            connection.send(operation, body)

    def finish_oldest(self) -> None:
        self._finish(*self._sent[0])
        self._free.append(self._sent.popleft()[0])


class Write(NamedTuple):
    """One call that writes one item: `PutItem` or `UpdateItem`, and its request."""

    operation: str
    request: dict[str, Any]


def write_each(writes: Iterable[Write]) -> list[bool]:
    """Make every write by itself, in any order. Returns whether the condition of each held.

    Raises: GatewayUnavailable: the table refused a write, did not answer, or stayed busy.
    """
    held: list[bool] = []

    def finish(connection: AnyConnection, sent: tuple[str, bytes]) -> None:
        held.append(_finish_write(connection, *sent))

    with Pipeline(finish) as pipeline:
        for operation, request in writes:
            body = msgspec.json.encode(request)
            pipeline.send(operation, body, (operation, body))
    return held


def read_each(operation: str, requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make every read by itself. Returns the answers, in the order of the requests.

    Raises: GatewayUnavailable: the table refused a read, did not answer, or stayed busy.
    """
    answers: list[dict[str, Any]] = []

    def finish(connection: AnyConnection, body: bytes) -> None:
        answers.append(_finish_read(connection, operation, body))

    with Pipeline(finish) as pipeline:
        for request in requests:
            body = msgspec.json.encode(request)
            pipeline.send(operation, body, body)
    return answers


def _finish_read(connection: AnyConnection, operation: str, body: bytes) -> dict[str, Any]:
    """Read the answer; send the call again while the table is busy."""
    budget = RetryBudget()
    with translate_errors(GATEWAY):
        for number in tries(MAX_THROTTLED_TRIES, LONGEST_PAUSE_S):
            try:
                if number:
                    connection.send(operation, body)
                return connection.answer()
            except (ClientError, HTTPClientError) as exc:
                budget.record(exc)
        raise budget.latest_error


def _finish_write(connection: AnyConnection, operation: str, body: bytes) -> bool:
    """Read the answer; send the call again while the table is busy."""
    budget = RetryBudget()
    latest: Exception | None = None
    for number in tries(MAX_THROTTLED_TRIES, LONGEST_PAUSE_S):
        with translate_errors(GATEWAY):
            try:
                if number:
                    connection.send(operation, body)
                connection.answer()
            except (ClientError, HTTPClientError) as exc:
                latest = exc
                code = error_code(exc) if isinstance(exc, ClientError) else ""
                if code == CONDITION_FAILED:
                    return False
                if code != CONFLICT:
                    budget.record(exc)
            else:
                return True
    raise GatewayUnavailable(f"{GATEWAY}: an item could not be written") from latest
