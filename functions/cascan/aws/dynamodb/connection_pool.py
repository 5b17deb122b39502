"""A thread's kept connections to DynamoDB, and calls made on them one at a time.

`call` is for the calls that carry many items: there boto3's shapes and types cost more CPU than the rest of the work. A
value of bytes is passed as it is, and returned as base64 text.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec
from botocore.exceptions import ClientError, HTTPClientError

from cascan.aws import clients
from cascan.aws.boundary import error_code, tries
from cascan.aws.dynamodb.connection import Connection

MAX_CONNECTIONS = 8  # calls at once: one takes 5 to 20 ms at the service, and 0.1 ms of CPU here
MAX_THROTTLED_TRIES = 12  # of what was throttled or left unprocessed: 13 s of waiting on average, 26 s at most
LONGEST_PAUSE_S = 5.0  # a table that grows, or splits a partition, takes that long to take more
# Errors after which the same call succeeds later. TransactionInProgress: an earlier try of the same transaction, whose
# answer was lost, is still at work.
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
SERVER_ERROR = 500


def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Make the call, again if need be, and return the service's answer.

    Raises: ClientError: the service refused it, or stayed busy. BotoCoreError: the service could not be reached.
    """
    free = free_connections()
    connection, body, budget = free.pop(), msgspec.json.encode(request), RetryBudget()
    try:
        for _ in tries(MAX_THROTTLED_TRIES, LONGEST_PAUSE_S):
            try:
                connection.send(operation, body)
                return connection.answer()
            except (ClientError, HTTPClientError) as exc:
                budget.record(exc)
    finally:
        free.append(connection)
    raise budget.latest_error


class RetryBudget:
    """The errors of one call so far: throttling is waited out, the MAX_ATTEMPTS-th other fault is raised."""

    def __init__(self) -> None:
        self.latest_error: Exception = TimeoutError()
        self._faults = 0

    def record(self, exc: ClientError | HTTPClientError) -> None:
        """Count the error. Raises: the error itself, if another try cannot help or MAX_ATTEMPTS are used up."""
        self.latest_error = exc
        is_throttled = isinstance(exc, ClientError) and error_code(exc) in THROTTLED
        self._faults += not is_throttled
        if self._faults == clients.MAX_ATTEMPTS or not (is_throttled or _is_temporary(exc)):
            raise exc


def _is_temporary(exc: ClientError | HTTPClientError) -> bool:
    """An error of the service's own, or a connection that failed."""
    return not isinstance(exc, ClientError) or exc.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR


class _ThreadConnections(threading.local):
    """A thread's free connections, kept from call to call: opening one takes longer than sending a batch."""

    def __init__(self) -> None:
        self.client: object = None
        self.free: list[Connection] = []


_thread = _ThreadConnections()


def free_connections() -> list[Connection]:
    """The thread's free connections, MAX_CONNECTIONS of them when none is in use. Take from the list, and put back."""
    client = clients.dynamodb()
    if _thread.client is not client:
        close_connections()
        _thread.client, _thread.free = client, [Connection(client) for _ in range(MAX_CONNECTIONS)]
    return _thread.free


def close_connections() -> None:
    """Close the thread's connections; the next call opens what it needs."""
    for connection in _thread.free:
        connection.close()
