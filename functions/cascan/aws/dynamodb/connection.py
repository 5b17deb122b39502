"""One connection to DynamoDB, for calls whose body is encoded already. README.md explains why.

The client provides the endpoint, the region and the API version. Its session provides the
credentials, and renews them when they expire. The client's `before-send` hooks see each request, as
they see botocore's own. So code that traces or replaces the client's calls, such as moto in the
tests, works here too.
"""

from __future__ import annotations

import os
import ssl
import time
import zlib
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import ProxyConfiguration, where
from botocore.utils import get_environ_proxies

from cascan.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SERVICE = "dynamodb"
CONTENT_TYPE = "application/x-amz-json-1.0"
TIMEOUT_S = 5  # of a read, and of a connect
# A function may have been frozen since the last call. Meanwhile the server may have closed the
# connection.
MAX_IDLE_S = 50
MAX_ANSWER_BYTES = 64 * 1024**2  # as transferred, and unpacked; the largest of DynamoDB has 16 MB
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
        self._http = _build_connection(client.meta.endpoint_url)  # connects when it sends
        self._used_at = 0.0
        self._outcome: Answer | Exception | None = None  # known before an answer is read

    def send(self, operation: str, body: bytes) -> None:
        """Send the call. An error of the transfer is raised by `answer`.

        Raises: BotoCoreError: the call cannot be signed.
        """
        self._operation, self._outcome = operation, None
        request = _sign(self._client, operation, body)
        event = f"before-send.{SERVICE}.{operation}"
        for _, response in self._client.meta.events.emit(event, request=request):
            if response is not None:  # a hook answers instead of the service
                headers = _lower_names(response.headers)
                headers.pop("x-amz-crc32", None)  # the checksum of a transfer that did not happen
                self._outcome = Answer(response.status_code, headers, response.content)
                return
        if time.time() > self._used_at + MAX_IDLE_S:
            self.close()
        self._used_at = time.time()
        try:
            self._http.request("POST", "/", body, dict(request.headers))
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
        """Close the connection and drop an unread answer. The next `send` opens it again."""
        self._http.close()

    def _receive(self) -> Answer:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        if self._outcome:
            return self._outcome
        with self._http.getresponse() as response:
            length = response.length
            if length is None:
                raise HTTPException("an answer that says no length")
            if length > MAX_ANSWER_BYTES:
                raise HTTPException(f"an answer of {length} bytes: over {MAX_ANSWER_BYTES}")
            return Answer(response.status, _lower_names(response.headers), response.read())


def _sign(client: DynamoDBClient, operation: str, body: bytes) -> AWSPreparedRequest:
    credentials = clients.session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    # Frozen, so that a renewal in another thread cannot mix two sets
    frozen: Any = credentials.get_frozen_credentials()
    target = f"{client.meta.service_model.metadata['targetPrefix']}.{operation}"
    headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": target}
    request = AWSRequest("POST", f"{client.meta.endpoint_url}/", headers, body)
    SigV4Auth(frozen, SERVICE, client.meta.region_name).add_auth(request)
    return request.prepare()


def _lower_names(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _decode_content(answer: Answer) -> bytes:
    """The answer's content, checked and unpacked. The checksum covers the bytes as transferred.

    Raises: HTTPException: the content is damaged or too long. zlib.error: it cannot be unpacked.
    """
    expected = answer.headers.get("x-amz-crc32", "")
    if expected.isdecimal() and zlib.crc32(answer.content) != int(expected):
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


def _build_connection(endpoint_url: str) -> HTTPConnection:
    """A closed connection to the endpoint, through the HTTPS proxy that the environment names."""
    url = urlsplit(endpoint_url)
    host, port = url.hostname or "", url.port
    if url.scheme != "https":
        return HTTPConnection(host, port, timeout=TIMEOUT_S)
    proxies = ProxyConfiguration(get_environ_proxies(endpoint_url))
    proxy_url = proxies.proxy_url_for(endpoint_url)
    if not proxy_url:
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=_trust())
    proxy = urlsplit(proxy_url)
    connection = HTTPSConnection(proxy.hostname or "", proxy.port, timeout=TIMEOUT_S, context=_trust())
    connection.set_tunnel(host, port, proxies.proxy_headers_for(proxy_url))
    return connection


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
