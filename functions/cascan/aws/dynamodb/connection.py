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
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import HTTPClientError

from cascan.aws.dynamodb.answer import MAX_ANSWER_BYTES, Answer, decode_answer, name_request

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIMEOUT_S = 5  # of a read, and of a connect
# A function may have been frozen since the last call. Meanwhile the server may have closed the
# connection.
MAX_IDLE_S = 50
GZIP = zlib.MAX_WBITS | 16


class Connection:
    """A connection for one call at a time, kept open between calls.

    Call `send`, do something else, then read the `answer`.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self._operation = ""
        self._http = _build_connection(client.meta.endpoint_url)  # it connects when it sends
        self._used_at = 0.0
        self._outcome: Answer | Exception | None = None  # known before an answer is read

    def send(self, operation: str, body: bytes) -> None:
        """Send the call. An error of the transfer is raised by `answer`.

        Raises: BotoCoreError: the call cannot be signed.
        """
        self._operation, self._outcome = operation, None
        headers = self._prepare(operation, body)
        if self._outcome is not None:
            return
        if time.time() > self._used_at + MAX_IDLE_S:
            self.close()
        self._used_at = time.time()
        try:
            self._http.request("POST", "/", body, headers)
        except (OSError, HTTPException) as exc:
            self._outcome = exc

    def _prepare(self, operation: str, body: bytes) -> dict[str, str]:
        """The headers of the call. Sets the outcome if a hook answers instead of the service."""
        from cascan.aws.dynamodb import signing  # noqa: PLC0415 - see clients.load

        request = signing.sign(self._client, operation, body)
        response = signing.call_hooks(self._client, operation, request)
        if response is not None:
            headers = _lower_names(response.headers)
            headers.pop("x-amz-crc32", None)  # the checksum of a transfer that did not happen
            self._outcome = Answer(response.status_code, headers, response.content)
        return dict(request.headers)

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
        return decode_answer(answer, content, self._operation)

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


def _lower_names(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _decode_content(answer: Answer) -> bytes:
    """The answer's content, checked and unpacked. The checksum covers the bytes as transferred.

    Raises: HTTPException: the content is damaged or too long. zlib.error: it cannot be unpacked.
    """
    expected = answer.headers.get("x-amz-crc32", "")
    if expected.isdecimal() and zlib.crc32(answer.content) != int(expected):
        request = name_request(answer)
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


def _build_connection(endpoint_url: str) -> HTTPConnection:
    """A closed connection to the endpoint, through the HTTPS proxy that the environment names."""
    url = urlsplit(endpoint_url)
    host, port = url.hostname or "", url.port
    if url.scheme != "https":
        return HTTPConnection(host, port, timeout=TIMEOUT_S)
    from botocore.httpsession import ProxyConfiguration  # noqa: PLC0415 - see clients.load
    from botocore.utils import get_environ_proxies  # noqa: PLC0415

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
    from botocore.httpsession import where  # noqa: PLC0415 - see clients.load

    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or where())
