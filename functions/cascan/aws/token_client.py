"""Clients for an endpoint that checks a token instead of signatures: that of a local stack.

A command on the local stack spends most of its time on importing boto3 and building its clients.
The guard of the local stack (ADR 27) compares one header, so services that speak JSON, such as DynamoDB and
SQS, can be called without either. An operation is called as on a client of boto3, and raises the same errors.
Binary values are returned as base64 text.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from cascan.aws.dynamodb.token_connection import TokenConnection

TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "sqs": "AmazonSQS",
    "ecs": "AmazonEC2ContainerServiceV20141113",
}
# Operation and body of a call → the body of its answer
Read = Callable[[str, bytes], bytes]
CONTENT_TYPE = "application/x-amz-json-1.0"
TOKEN_HEADER = "X-Amz-Security-Token"  # noqa: S105 - a header's name


class TokenEndpoint(NamedTuple):
    url: str
    token: str
    read: Read | None = None  # answers the calls of DynamoDB in place of the endpoint


class TokenClient:
    """A client of one service. Its attributes are the operations: `client.get_item(TableName=…)`."""

    def __init__(self, service: str, endpoint: TokenEndpoint) -> None:
        self.endpoint_url = endpoint.url
        self._token = endpoint.token
        self._target = TARGETS[service]
        self._read = endpoint.read if service == "dynamodb" else None
        self._thread = threading.local()

    def headers(self, operation: str) -> dict[str, str]:
        return {
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Target": f"{self._target}.{operation}",
            TOKEN_HEADER: self._token,
        }

    def read(self, operation: str, body: bytes) -> bytes | None:
        """The body of the answer; None: the endpoint answers the calls of this client."""
        return self._read(operation, body) if self._read else None

    def close(self) -> None:
        """Close the connection of this thread."""
        self._connection().close()

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        if name.startswith("_"):
            raise AttributeError(name)
        operation = "".join(word.capitalize() for word in name.split("_"))

        def call(**request: Any) -> dict[str, Any]:
            connection = self._connection()
            connection.send(operation, msgspec.json.encode(request))
            return connection.answer()

        return call

    def _connection(self) -> TokenConnection:
        from cascan.aws.dynamodb.token_connection import TokenConnection  # noqa: PLC0415 - only tokens need it

        if not hasattr(self._thread, "connection"):
            self._thread.connection = TokenConnection(self)
        connection: TokenConnection = self._thread.connection
        return connection
