"""A thread's kept connections to DynamoDB, and calls made on them one at a time. connection.py has a connection's side.

`call` is for the calls that carry many items: there boto3's shapes and types cost more CPU than the rest of the work. A
value of bytes is given as it is and comes back as base64 text.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec
from botocore.exceptions import ClientError, HTTPClientError

from cascan.aws import clients
from cascan.aws.boundary import error_code, tries
from cascan.aws.dynamodb.connection import Connection

MAX_LINES = 8  # calls on their way at once: one takes 5 to 20 ms there, and 0.1 ms of CPU here
MAX_THROTTLED_TRIES = 12  # of what was throttled or left unprocessed: 13 s of waiting on average, 26 s at most
LONGEST_PAUSE_S = 5.0  # a table that grows, or splits a partition, takes that long to take more
THROTTLED = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"})
SERVER_ERROR = 500


def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """The service's answer, with as many tries as that takes.

    Raises: ClientError: the service said no, or stayed busy. BotoCoreError: it could not be reached.
    """
    free = free_connections()
    line, body, patience = free.pop(), msgspec.json.encode(request), RetryBudget()
    try:
        for _ in tries(MAX_THROTTLED_TRIES, LONGEST_PAUSE_S):
            try:
                line.send(operation, body)
                return line.answer()
            except (ClientError, HTTPClientError) as exc:
                patience.record(exc)
    finally:
        free.append(line)
    raise patience.last


class RetryBudget:
    """What one call has met so far: throttling is waited out, of other faults MAX_ATTEMPTS are too many."""

    def __init__(self) -> None:
        self.last: Exception = TimeoutError()
        self._faults = 0

    def record(self, exc: ClientError | HTTPClientError) -> None:
        """Remember the error. Raises: itself: another try would not end otherwise."""
        self.last = exc
        is_throttled = isinstance(exc, ClientError) and error_code(exc) in THROTTLED
        self._faults += not is_throttled
        if self._faults == clients.MAX_ATTEMPTS or not (is_throttled or _may_pass(exc)):
            raise exc


def _may_pass(exc: ClientError | HTTPClientError) -> bool:
    """An error of the service's own, or a connection that failed."""
    return not isinstance(exc, ClientError) or exc.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR


class _Kept(threading.local):
    """A thread's lines, which outlive a call: a connection takes longer to open than a batch to send."""

    def __init__(self) -> None:
        self.client: object = None
        self.free: list[Connection] = []


_kept = _Kept()


def free_connections() -> list[Connection]:
    """The thread's free lines, MAX_LINES of them when none is in use: take what is needed, and give it back."""
    client = clients.dynamodb()
    if _kept.client is not client:
        close_connections()
        _kept.client, _kept.free = client, [Connection(client) for _ in range(MAX_LINES)]
    return _kept.free


def close_connections() -> None:
    """Close the thread's connections; the next call opens what it needs."""
    for line in _kept.free:
        line.close()
