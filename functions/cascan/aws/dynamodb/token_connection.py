"""A connection to a local stack, whose guard compares a token: the counterpart of connection.py.

It has the same three methods, and raises the same errors.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import HTTPClientError

from cascan.aws.dynamodb.answer import MAX_ANSWER_BYTES, OK, Answer, decode_answer

if TYPE_CHECKING:
    from cascan.aws.plain_http import PlainConnection
    from cascan.aws.token_client import TokenClient

TIMEOUT_S = 30  # the machine may be busy, and queues are polled for up to 20 s
MAX_IDLE_S = 50  # the guard closes a connection after 75 s


class TokenConnection:
    """A connection for one call at a time, kept open between calls."""

    def __init__(self, client: TokenClient) -> None:
        self._client = client
        self._http: PlainConnection | None = None  # built by the first call that is not answered by a reader
        self._operation = ""
        self._used_at = 0.0
        self._outcome: Answer | OSError | None = None  # known before an answer is read

    def send(self, operation: str, body: bytes) -> None:
        """Send the call. An error of the transfer is raised by `answer`."""
        self._operation, self._outcome = operation, None
        content = self._client.read(operation, body)
        if content is not None:
            self._outcome = Answer(OK, {}, content)
            return
        if time.time() > self._used_at + MAX_IDLE_S:
            self.close()
        self._used_at = time.time()
        try:
            self._http = self._http or self._build_http()
            self._http.send("POST", "/", self._client.headers(operation), body)
        except OSError as exc:
            self._outcome = exc

    def answer(self) -> dict[str, Any]:
        """Wait for the call's answer.

        Raises: ClientError: the service refused the call. HTTPClientError: the service could not be
        reached, or its answer is damaged or is not JSON.
        """
        try:
            answer = self._receive()
        except OSError as exc:
            self.close()
            raise HTTPClientError(error=exc) from exc
        return decode_answer(answer, answer.content, self._operation)

    def close(self) -> None:
        """Close the connection and drop an unread answer. The next `send` opens it again."""
        if self._http:
            self._http.close()

    def _build_http(self) -> PlainConnection:
        from urllib.parse import urlsplit  # noqa: PLC0415 - a command that reads a saved table needs no HTTP

        from cascan.aws.plain_http import PlainConnection  # noqa: PLC0415

        url = urlsplit(self._client.endpoint_url)
        return PlainConnection(url.hostname or "", url.port or 0, TIMEOUT_S)

    def _receive(self) -> Answer:
        if isinstance(self._outcome, OSError):
            raise self._outcome
        if self._outcome:
            return self._outcome
        if self._http is None:
            raise OSError("no call was sent")
        return Answer(*self._http.receive(MAX_ANSWER_BYTES))
