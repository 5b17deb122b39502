"""HTTP/1.1 over a plain socket, to the endpoint of a local stack.

`http.client` imports the readers of e-mail and TLS, which takes a command longer than all its calls. This
speaks to one server alone, the guard of the local stack, which gives the length of each answer.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import NamedTuple

MAX_HEAD_BYTES = 65_536
CHUNK_BYTES = 65_536
END_OF_HEAD = b"\r\n\r\n"


class BadAnswer(OSError):
    """What was received is not a complete HTTP answer that states its length."""


class PlainAnswer(NamedTuple):
    status: int
    headers: dict[str, str]  # by name, in lower case
    content: bytes


class PlainConnection:
    """A connection that is kept open between calls. Every method raises OSError if it fails."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._address = (host, port)
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None  # opened by the next `send`

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        host, port = self._address
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(lines).encode("ascii") + END_OF_HEAD
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(head + body)

    def receive(self, max_bytes: int) -> PlainAnswer:
        """The answer to the last call, whose content has at most so many bytes."""
        received = bytearray()
        while (end := received.find(END_OF_HEAD)) < 0:
            if len(received) > MAX_HEAD_BYTES:
                raise BadAnswer(f"an answer whose head is longer than {MAX_HEAD_BYTES} bytes")
            received += self._receive_some()
        status, headers = _parse_head(bytes(received[:end]))
        length = _read_length(headers, max_bytes)
        content = received[end + len(END_OF_HEAD) :]
        while len(content) < length:
            content += self._receive_some()
        if len(content) > length:
            raise BadAnswer("an answer that is longer than its length")
        if headers.get("connection", "").lower() == "close":
            self.close()
        return PlainAnswer(status, headers, bytes(content))

    def close(self) -> None:
        """Close it, and drop an unread answer. The next `send` opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive_some(self) -> bytes:
        if self._socket is None:
            raise BadAnswer("no call was sent")
        received = self._socket.recv(CHUNK_BYTES)
        if not received:
            raise BadAnswer("the connection was closed before the answer was complete")
        return received


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, status_text = status_line.partition(" ")
    status = status_text[:3]
    if not version.startswith("HTTP/1.") or not status.isascii() or not status.isdigit():
        raise BadAnswer("an answer that is not HTTP")
    pairs = (line.partition(":") for line in lines)
    return int(status), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _read_length(headers: Mapping[str, str], max_bytes: int) -> int:
    text = headers.get("content-length", "")
    if not (text.isascii() and text.isdigit()):
        raise BadAnswer("an answer with no length")
    length = int(text)
    if length > max_bytes:
        raise BadAnswer(f"an answer of {length} bytes: over {max_bytes}")
    return length
