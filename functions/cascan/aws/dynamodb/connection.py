"""Calls of DynamoDB with a body that is encoded already: what botocore does, without shapes, types and layers.

The client gives the endpoint, region and API version that it would use itself; its session the credentials, renewed as
they run out. The client's `before-send` hooks see the request as they see those of the client: what traces or replaces
its calls (moto, in the tests) does the same here.

A call is one write and one read of a socket. http.client would write head and body apart, and read the answer's head
as an e-mail's: half a millisecond together.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from base64 import b64encode
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead, RemoteDisconnected
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import where
from botocore.utils import get_environ_proxies

from cascan.aws import clients
from cascan.aws.dynamodb.signature import Credentials, sign_headers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIMEOUT_S = 5  # of a read, and of a connect
MAX_IDLE_S = 50  # a function may have been frozen since, and the other side gone without a word
MAX_LINE_BYTES = 8_192  # of an answer's head
MAX_HEAD_LINES = 100
OK = 200


class Connection:
    """One kept connection for one call at a time: `send` it, do something else, take its `answer`."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self._operation = ""
        self._connection: HTTPConnection | None = None
        self._answers: IO[bytes] | None = None
        self._used_at = 0.0
        self._outcome: tuple[int, bytes] | Exception | None = None  # known before the answer is asked for

    def send(self, operation: str, body: bytes) -> None:
        """Send the call on its way. What goes wrong is told by `answer`. Raises: BotoCoreError: it cannot be signed."""
        self._operation, self._outcome = operation, None
        headers = _signed(self._client, operation, body)
        url = f"{self._client.meta.endpoint_url}/"
        request = AWSPreparedRequest("POST", url, _any_case(headers), body, stream_output=False)
        for _, response in self._client.meta.events.emit(f"before-send.dynamodb.{operation}", request=request):
            if response is not None:  # a hook answers in the service's place
                self._outcome = response.status_code, response.content
                return
        try:
            self._socket().sendall(_head(headers, len(body)) + body)
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
        if self._answers:
            self._answers.close()
        if self._connection:
            self._connection.close()
        self._connection = self._answers = None

    def _socket(self) -> socket.socket:
        if self._connection and time.time() > self._used_at + MAX_IDLE_S:
            self.close()
        self._used_at = time.time()
        if self._connection is None:
            self._connection = _connected(self._client.meta.endpoint_url)
            self._answers = self._connection.sock.makefile("rb")
        return self._connection.sock

    def _received(self) -> tuple[int, bytes]:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        if self._outcome or self._answers is None:
            return self._outcome or (0, b"")
        status, length, is_last = _head_in(self._answers)
        content = self._answers.read(length)
        if len(content) < length:
            raise IncompleteRead(content, length - len(content))
        if is_last:
            self.close()
        return status, content


def _signed(client: DynamoDBClient, operation: str, body: bytes) -> dict[str, str]:
    credentials = clients.session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    frozen = credentials.get_frozen_credentials()
    own = Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token)
    target = f"{client.meta.service_model.metadata['targetPrefix']}.{operation}"
    return sign_headers(client.meta.endpoint_url, client.meta.region_name, target, own, body)


def _any_case(headers: dict[str, str]) -> Any:
    return HeadersDict(headers)  # as botocore gives them to its hooks


def _head(headers: dict[str, str], length: int) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"POST / HTTP/1.1\r\n{lines}accept-encoding: identity\r\ncontent-length: {length}\r\n\r\n".encode("latin-1")


def _head_in(answers: IO[bytes]) -> tuple[int, int, bool]:
    """Of the next answer: its status, the length of what follows, and whether the server hangs up after it."""
    status = answers.readline(MAX_LINE_BYTES)
    if not status:
        raise RemoteDisconnected("Remote end closed connection without response")
    length, is_last = -1, status.startswith(b"HTTP/1.0")
    for _ in range(MAX_HEAD_LINES):
        name, _, value = answers.readline(MAX_LINE_BYTES).partition(b":")
        if not value:
            break
        if name.lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
        elif name.lower() == b"connection":
            is_last = value.strip().lower() == b"close"
    words = status.split(None, 2)
    if length < 0 or len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 (version, status, what it means)
        raise HTTPException("an answer that says no length")
    return int(words[1]), length, is_last


def _connected(endpoint_url: str) -> HTTPConnection:
    """A connection to the endpoint, through the environment's proxy where it names one for HTTPS."""
    url = urlsplit(endpoint_url)
    host, port = url.hostname or "", url.port
    if url.scheme != "https":
        connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    elif (proxy := urlsplit(get_environ_proxies(endpoint_url).get("https", ""))).hostname:
        connection = HTTPSConnection(proxy.hostname, proxy.port, timeout=TIMEOUT_S, context=_trust())
        connection.set_tunnel(host, port, _proxy_headers(proxy))
    else:
        connection = HTTPSConnection(host, port, timeout=TIMEOUT_S, context=_trust())
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no waiting for the answer's first bytes
    return connection


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    password = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(password.encode()).decode()}"}


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that botocore trusts."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or where())


def _error(status: int, answer: dict[str, Any], operation: str) -> ClientError:
    code = str(answer.get("__type", status)).rpartition("#")[2]
    message = str(answer.get("message") or answer.get("Message") or "")
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    response["CancellationReasons"] = answer.get("CancellationReasons", [])  # of a transaction
    return ClientError(response, operation)
