"""A webhook: the message is posted over HTTPS, once.

The certificate is verified. Plain HTTP is for this machine alone. Redirects are not followed, and no
proxy of the environment is used.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from socket import SHUT_RDWR
from threading import Timer
from urllib.parse import quote, urlsplit

from cascan.limits import MAX_WEBHOOK_ANSWER_BYTES, SEND_TIMEOUT_S
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage

MAX_URL_CHARS = 2_048
BUSY_STATUSES = frozenset({425, 429, 500, 503})  # the other end did not take it
UNKNOWN_STATUSES = frozenset({408, 502, 504})  # something in between does not know
SUCCESS, REDIRECT = 2, 3  # the first digit of a status
SCHEMES = ("https", "http")
TIMEOUTS_PER_REQUEST = 2  # a request takes so many timeouts at most
USER_AGENT = "cascan"


def find_url_problem(url: str) -> str:
    """What is wrong with the URL of a webhook; empty: nothing.

    The sentence does not quote the URL, which may be secret.
    """
    if len(url) > MAX_URL_CHARS or not url.isprintable() or " " in url:
        return f"is not a URL of at most {MAX_URL_CHARS} printable characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        return f"is not a URL: {exc}"
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        return "has to begin with https:// and a host"
    if not url.isascii():
        return "has characters that are not ASCII; write them as %XX, and the host as xn--…"
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        return "has a host with a part that is empty or longer than 63 characters"
    if parts.username or parts.password:
        return "has a user name or a password; use a URL with a token in its path"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return "has to begin with https://, since http:// is for this machine alone"
    return ""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class WebhookChannel:
    """MessageChannel over HTTPS. Raises: ValueError: the URL has a problem."""

    def __init__(self, url: str, *, timeout_s: float = SEND_TIMEOUT_S, context: ssl.SSLContext | None = None) -> None:
        problem = find_url_problem(url)
        if problem:
            raise ValueError(f"the URL {problem}")
        self._parts = urlsplit(url)
        self._timeout_s = timeout_s
        self._context = context

    def send(self, message: OutgoingMessage) -> Delivery:
        connection = self._build_connection()
        try:
            return self._post(connection, message)
        finally:
            connection.close()

    def _post(self, connection: HTTPConnection, message: OutgoingMessage) -> Delivery:
        try:
            connection.connect()
        except (OSError, HTTPException, UnicodeError) as exc:  # nothing was sent
            return Delivery(DeliveryState.BUSY, f"no connection to {self._host}: {_describe(exc)}")
        try:
            with _limit_time(connection, self._timeout_s * TIMEOUTS_PER_REQUEST):
                connection.request("POST", self._target, message.body.encode(), _build_headers(message))
                response = connection.getresponse()
                answer = response.read(MAX_WEBHOOK_ANSWER_BYTES)
        except (OSError, HTTPException, ValueError) as exc:  # ValueError: the connection was shut down meanwhile
            return Delivery(DeliveryState.UNKNOWN, f"no answer from {self._host}: {_describe(exc)}")
        return self._judge(response.status, answer)

    def _judge(self, status: int, answer: bytes) -> Delivery:
        if status // 100 == SUCCESS:
            return Delivery(DeliveryState.DELIVERED)
        quoted = "".join(char for char in answer[:200].decode("utf-8", "replace") if char.isprintable())
        reason = f"{self._host} answered {status}" + (f": {quoted}" if quoted else "")
        if status // 100 == REDIRECT:
            return Delivery(DeliveryState.REFUSED, f"{reason}; redirects are not followed")
        if status in UNKNOWN_STATUSES:
            return Delivery(DeliveryState.UNKNOWN, reason)
        return Delivery(DeliveryState.BUSY if status in BUSY_STATUSES else DeliveryState.REFUSED, reason)

    @property
    def _host(self) -> str:
        return self._parts.hostname or ""

    @property
    def _target(self) -> str:
        return (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")

    def _build_connection(self) -> HTTPConnection:
        parts = self._parts
        if parts.scheme == "http":
            return HTTPConnection(self._host, parts.port, timeout=self._timeout_s)
        context = self._context or ssl.create_default_context()
        return HTTPSConnection(self._host, parts.port, timeout=self._timeout_s, context=context)


@contextmanager
def _limit_time(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """Shut the connection down after so many seconds: the other end may send a byte now and then."""

    def shut_down() -> None:
        with suppress(OSError):
            if connection.sock:
                connection.sock.shutdown(SHUT_RDWR)

    timer = Timer(seconds, shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _build_headers(message: OutgoingMessage) -> Mapping[str, str]:
    return {
        "Content-Type": message.content_type,
        "Idempotency-Key": _to_header(message.message_id),
        "User-Agent": USER_AGENT,
        "X-Cascan-Thread": _to_header(message.key),
    }


def _to_header(text: str) -> str:
    """The text, with what a header cannot hold as %XX: a key has the name of a schedule, or of an event."""
    return quote(text, safe="/:@#+=,;~!*'() ", errors="replace")


def _describe(exc: Exception) -> str:
    """The error without the URL."""
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return f"{type(exc).__name__}: {text}"[:200]
