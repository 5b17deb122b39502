"""The connections to DynamoDB that each thread keeps, and single calls on them.

`call` is for calls that carry many items. For these, boto3's shapes and types would take more CPU
than the rest of the work. A binary value may be passed as bytes; it is returned as base64 text.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError, HTTPClientError

from cascan.aws import clients
from cascan.aws.boundary import error_code, tries
from cascan.aws.token_client import TokenClient

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from cascan.aws.dynamodb.connection import Connection
    from cascan.aws.dynamodb.token_connection import TokenConnection

    AnyConnection = Connection | TokenConnection

MAX_CONNECTIONS = 9  # a call takes 5 to 20 ms at the service, and 0.5 ms of CPU here
FOR_SINGLE_CALLS = 1  # of them: what is written may be read from the table while it is written
# Of a call that is throttled or leaves items unprocessed: the pauses add up to 13 s on average, and
# to 26 s at most.
MAX_THROTTLED_TRIES = 12
LONGEST_PAUSE_S = 5.0  # the time in which a table grows or splits a partition
# Errors after which the same call succeeds later. TransactionInProgress: the service still works on
# an earlier try of the same transaction, whose answer was lost.
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
    """Make the call, repeat it if necessary, and return the service's answer.

    Raises: ClientError: the service refused the call, or stayed busy. BotoCoreError: the service
    could not be reached.
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
    """Counts the errors of one call, and decides whether another try may succeed."""

    def __init__(self) -> None:
        self.latest_error: Exception = TimeoutError()
        self._faults = 0

    def record(self, exc: ClientError | HTTPClientError) -> None:
        """Count the error.

        Raises: the error itself, if another try cannot help, or it is the MAX_ATTEMPTS-th that is
        not throttling.
        """
        self.latest_error = exc
        is_throttled = isinstance(exc, ClientError) and error_code(exc) in THROTTLED
        self._faults += not is_throttled
        if self._faults == clients.MAX_ATTEMPTS or not (is_throttled or _is_temporary(exc)):
            raise exc


def _is_temporary(exc: ClientError | HTTPClientError) -> bool:
    """Whether the service failed, or the connection to it."""
    if not isinstance(exc, ClientError):
        return True
    return exc.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR


def build_connection(client: DynamoDBClient | TokenClient) -> AnyConnection:
    """A connection for the calls of this client. It connects when it sends."""
    # Imported here: a command uses one of them, and each imports its own kind of HTTP
    if isinstance(client, TokenClient):
        from cascan.aws.dynamodb.token_connection import TokenConnection  # noqa: PLC0415

        return TokenConnection(client)
    from cascan.aws.dynamodb.connection import Connection  # noqa: PLC0415

    return Connection(client)


class _ThreadConnections(threading.local):
    """A thread's free connections, kept because opening one takes longer than sending a batch."""

    def __init__(self) -> None:
        self.client: object = None
        self.free: list[AnyConnection] = []


_thread = _ThreadConnections()


def free_connections() -> list[AnyConnection]:
    """The thread's free connections: MAX_CONNECTIONS of them when none is in use.

    A caller removes a connection from the list, and puts it back after use.
    """
    client = clients.dynamodb()
    if _thread.client is not client:
        close_connections()
        _thread.client = client
        _thread.free = [build_connection(client) for _ in range(MAX_CONNECTIONS)]
    return _thread.free


def close_connections() -> None:
    """Close the thread's connections. The next call opens those that it needs."""
    for connection in _thread.free:
        connection.close()
