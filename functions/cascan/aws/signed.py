"""Signed calls of DynamoDB with a body that is encoded already: what botocore does, without shapes and types.

The client gives the endpoint, region and API version that it would use itself; its session the credentials, renewed as
they run out; botocore's signer signs. The client's `before-send` hooks see the request as they see those of the client:
what traces or replaces its calls (moto, in the tests) does the same here.
"""

from __future__ import annotations

import os
import socket
import ssl
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import where
from botocore.utils import get_environ_proxies

from cascan.aws import clients

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient

CONTENT_TYPE = "application/x-amz-json-1.0"
TIMEOUT_S = 5  # of a read, and of a connect
OK = 200


class Line:
    """One kept connection for one call at a time: `send` it, do something else, take its `answer`."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self._operation = ""
        self._connection: HTTPConnection | None = None
        self._outcome: tuple[int, bytes] | Exception | None = None  # known before the answer is asked for

    def send(self, operation: str, body: bytes) -> None:
        """Send the call on its way. What goes wrong is told by `answer`. Raises: BotoCoreError: it cannot be signed."""
        self._operation, self._outcome = operation, None
        request = _signed(self._client, operation, body)
        for _, response in self._client.meta.events.emit(f"before-send.dynamodb.{operation}", request=request):
            if response is not None:  # a hook answers in the service's place
                self._outcome = response.status_code, response.content
                return
        try:
            self._connection = self._connection or _connected(self._client.meta.endpoint_url)
            self._connection.request("POST", "/", body, _plain(request))
        except (OSError, HTTPException) as exc:
            self._outcome = exc

    def answer(self) -> dict[str, Any]:
        """The call's answer, waited for.

        Raises: ClientError: the service said no. HTTPClientError: it could not be reached, or answered no JSON.
        """
        try:
            status, content = self._received()
        except (OSError, HTTPException) as exc:
            self.close()
            raise HTTPClientError(error=exc) from exc
        try:
            answer = msgspec.json.decode(content or b"{}", type=dict[str, Any])
        except msgspec.DecodeError as exc:
            raise HTTPClientError(error=f"HTTP {status} without JSON") from exc
        if status != OK:
            raise _error(status, answer, self._operation)
        return answer

    def close(self) -> None:
        """Drop the connection, with the answer that may be on its way; the next `send` opens another."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _received(self) -> tuple[int, bytes]:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        if self._outcome or self._connection is None:
            return self._outcome or (0, b"")
        response = self._connection.getresponse()
        return response.status, response.read()


def _signed(client: DynamoDBClient, operation: str, body: bytes) -> AWSPreparedRequest:
    target = client.meta.service_model.metadata["targetPrefix"]
    request = AWSRequest(
        method="POST",
        url=f"{client.meta.endpoint_url}/",
        data=body,
        headers={"X-Amz-Target": f"{target}.{operation}", "Content-Type": CONTENT_TYPE},
    )
    credentials = clients.session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    # frozen: a renewal in another thread must not change them between two parts of one signature
    SigV4Auth(credentials.get_frozen_credentials(), "dynamodb", client.meta.region_name).add_auth(request)
    return request.prepare()


def _plain(request: AWSPreparedRequest) -> dict[str, str]:
    """The headers as http.client takes them; it says host and length itself."""
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    headers.pop("Content-Length", None)
    return headers


def _connected(endpoint_url: str) -> HTTPConnection:
    """A connection to the endpoint, through the environment's proxy where it names one for HTTPS."""
    url = urlsplit(endpoint_url)
    host, port = url.hostname or "", url.port
    if url.scheme != "https":
        connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    elif proxy := urlsplit(get_environ_proxies(endpoint_url).get("https", "")).netloc:
        connection = HTTPSConnection(proxy, timeout=TIMEOUT_S, context=_trust())
        connection.set_tunnel(host, port)
    else:
        connection = HTTPSConnection(host, port, timeout=TIMEOUT_S, context=_trust())
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body leave in two writes
    return connection


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that botocore trusts."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or where())


def _error(status: int, answer: dict[str, Any], operation: str) -> ClientError:
    code = str(answer.get("__type", status)).rpartition("#")[2]
    message = str(answer.get("message") or answer.get("Message") or "")
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)
