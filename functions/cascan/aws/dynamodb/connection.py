"""One connection to DynamoDB, for calls whose body is encoded already. README.md explains why.

The client provides the endpoint, the region and the API version. Its session provides the
credentials, and renews them when they expire. The client's `before-send` hooks see each request, as
they see botocore's own. So code that traces or replaces the client's calls, such as moto in the
tests, works here too.

A call is one write and one read of a socket. http.client would write the head and the body
separately, and parse the answer's head like an e-mail's. Together that takes half a millisecond.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
import zlib
from base64 import b64encode
from functools import cache
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import IO, TYPE_CHECKING, Any, NamedTuple
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
# A function may have been frozen since the last call. Meanwhile the server may have closed the
# connection.
MAX_IDLE_S = 50
MAX_LINE_BYTES = 8_192  # of an answer's head
MAX_HEAD_LINES = 100
MAX_ANSWER_BYTES = 64 * 1024**2  # of an unpacked answer; the largest of DynamoDB has 16 MB
OK = 200
GZIP = zlib.MAX_WBITS | 16


class Answer(NamedTuple):
    """An answer of the service."""

    status: int
    headers: dict[str, str]  # by name, in lower case
    content: bytes  # as it was transferred

    @property
    def request_id(self) -> str:
        return self.headers.get("x-amzn-requestid", "")


class Connection:
    """A connection for one call at a time, kept open between calls.

    Call `send`, do something else, then read the `answer`.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self._operation = ""
        self._connection: HTTPConnection | None = None
        self._answers: IO[bytes] | None = None
        self._used_at = 0.0
        self._outcome: Answer | Exception | None = None  # known before an answer is read

    def send(self, operation: str, body: bytes) -> None:
        """Send the call. An error of the transfer is raised by `answer`.

        Raises: BotoCoreError: the call cannot be signed.
        """
        self._operation, self._outcome = operation, None
        headers = _sign(self._client, operation, body)
        url = f"{self._client.meta.endpoint_url}/"
        request = AWSPreparedRequest("POST", url, _any_case(headers), body, stream_output=False)
        event = f"before-send.dynamodb.{operation}"
        for _, response in self._client.meta.events.emit(event, request=request):
            if response is not None:  # a hook answers instead of the service
                received = {name.lower(): value for name, value in response.headers.items()}
                received.pop("x-amz-crc32", None)  # the checksum of a transfer that did not happen
                self._outcome = Answer(response.status_code, received, response.content)
                return
        try:
            self._socket().sendall(_encode_head(headers, len(body)) + body)
        except (OSError, HTTPException) as exc:
            self._outcome = exc

    def answer(self) -> dict[str, Any]:
        """Wait for the call's answer.

        Raises: ClientError: the service refused the call. HTTPClientError: the service could not be
        reached, or its answer is damaged or is not JSON.
        """
        try:
            answer = self._receive()
            content = _decode_content(answer)
        except (OSError, HTTPException, zlib.error) as exc:
            self.close()
            raise HTTPClientError(error=exc) from exc
        try:
            document = msgspec.json.decode(content or b"{}", type=dict[str, Any])
        except msgspec.DecodeError as exc:
            error = f"HTTP {answer.status} without JSON{_name_request(answer)}"
            raise HTTPClientError(error=error) from exc
        if answer.status != OK:
            raise _build_error(answer, document, self._operation)
        return document

    def close(self) -> None:
        """Close the connection and drop an unread answer. The next `send` opens another."""
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
            self._connection = _connect(self._client.meta.endpoint_url)
            self._answers = self._connection.sock.makefile("rb")
        return self._connection.sock

    def _receive(self) -> Answer:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        if self._outcome or self._answers is None:
            return self._outcome or Answer(0, {}, b"")
        status, headers, is_last = _read_head(self._answers)
        length = int(headers["content-length"])
        content = self._answers.read(length)
        if len(content) < length:
            raise IncompleteRead(content, length - len(content))
        if is_last:
            self.close()
        return Answer(status, headers, content)


def _sign(client: DynamoDBClient, operation: str, body: bytes) -> dict[str, str]:
    credentials = clients.session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    frozen = credentials.get_frozen_credentials()
    signer = Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token)
    target = f"{client.meta.service_model.metadata['targetPrefix']}.{operation}"
    endpoint_url, region = client.meta.endpoint_url, client.meta.region_name
    return sign_headers(endpoint_url, region, target, signer, body)


def _any_case(headers: dict[str, str]) -> Any:
    return HeadersDict(headers)  # the type that botocore passes to its hooks


def _encode_head(headers: dict[str, str], length: int) -> bytes:
    fields = headers | {"accept-encoding": "identity", "content-length": str(length)}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
    return f"POST / HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")


def _read_head(answers: IO[bytes]) -> tuple[int, dict[str, str], bool]:
    """Read the head of the next answer.

    Returns its status, its headers, and whether the server closes the connection after it.
    Raises: HTTPException: there is no answer, or it has no status or no length.
    """
    status_line = answers.readline(MAX_LINE_BYTES)
    if not status_line:
        raise RemoteDisconnected("Remote end closed connection without response")
    headers: dict[str, str] = {}
    for _ in range(MAX_HEAD_LINES):
        name, _, value = answers.readline(MAX_LINE_BYTES).partition(b":")
        if not value:
            break
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    version, _, status_and_reason = status_line.partition(b" ")
    status = status_and_reason[:3]
    if not status.isdigit():
        raise HTTPException("an answer without a status")
    if not _is_number(headers.get("content-length", "")):
        raise HTTPException("an answer that says no length")
    is_last = version == b"HTTP/1.0" or headers.get("connection", "").lower() == "close"
    return int(status), headers, is_last


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _decode_content(answer: Answer) -> bytes:
    """The answer's content, checked and unpacked. The checksum covers the bytes as transferred.

    Raises: HTTPException: the content is damaged or too long. zlib.error: it cannot be unpacked.
    """
    expected = answer.headers.get("x-amz-crc32", "")
    if _is_number(expected) and zlib.crc32(answer.content) != int(expected):
        request = _name_request(answer)
        raise HTTPException(f"the answer's CRC-32 is not x-amz-crc32: {expected}{request}")
    # `accept-encoding: identity` was sent, but a proxy may compress an answer all the same.
    if answer.headers.get("content-encoding", "").lower() != "gzip":
        return answer.content
    unpacker = zlib.decompressobj(GZIP)
    content = unpacker.decompress(answer.content, MAX_ANSWER_BYTES)
    if not unpacker.eof:
        fault = f"is cut off, or longer than {MAX_ANSWER_BYTES} bytes unpacked"
        raise HTTPException(f"the answer's gzip {fault}")
    return content


def _name_request(answer: Answer) -> str:
    return f" (request {answer.request_id})" if answer.request_id else ""


def _connect(endpoint_url: str) -> HTTPConnection:
    """Open a connection to the endpoint, through the HTTPS proxy that the environment names."""
    url = urlsplit(endpoint_url)
    host, port = url.hostname or "", url.port
    if url.scheme == "https":
        connection = _build_https_connection(endpoint_url, host, port)
    else:
        connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    connection.connect()
    # Send a call at once, without waiting for more bytes.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _build_https_connection(endpoint_url: str, host: str, port: int | None) -> HTTPConnection:
    proxy = urlsplit(get_environ_proxies(endpoint_url).get("https", ""))
    if not proxy.hostname:
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=_trust())
    connection = HTTPSConnection(proxy.hostname, proxy.port, timeout=TIMEOUT_S, context=_trust())
    connection.set_tunnel(host, port, _proxy_headers(proxy))
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


def _build_error(answer: Answer, document: dict[str, Any], operation: str) -> ClientError:
    code = str(document.get("__type", answer.status)).rpartition("#")[2]
    message = str(document.get("message") or document.get("Message") or "")
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": answer.status, "RequestId": answer.request_id},
        "CancellationReasons": document.get("CancellationReasons", []),  # of a transaction
    }
    return ClientError(response, operation)
