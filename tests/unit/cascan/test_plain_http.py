"""HTTP over a plain socket: an answer is complete, or an error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from cascan.aws.plain_http import MAX_HEAD_BYTES, PlainConnection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Amzn-RequestId: a\r\n\r\n"


@contextmanager
def serve(*connections: Sequence[bytes]) -> Iterator[tuple[PlainConnection, list[bytes]]]:
    """A server that answers each call of each connection with these bytes, then closes it; what it received."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for answers in connections:
                accepted, _ = listener.accept()
                with accepted:
                    for sent in answers:
                        received.append(accepted.recv(65_536))
                        accepted.sendall(sent)

        thread = threading.Thread(target=answer)
        thread.start()
        connection = PlainConnection("127.0.0.1", listener.getsockname()[1], timeout_s=10)
        try:
            yield connection, received
        finally:
            connection.close()
            thread.join(10)


def test_calls_on_one_connection_get_their_answers() -> None:
    with serve([OK + b"ab", OK + b"cd"]) as (connection, received):
        connection.send("POST", "/", {"X-Amz-Target": "a"}, b"body")
        assert connection.receive(100) == (200, {"content-length": "2", "x-amzn-requestid": "a"}, b"ab")
        connection.send("GET", "/path", {})
        assert connection.receive(100).content == b"cd"
    head, _, body = received[0].partition(b"\r\n\r\n")
    host = head.split(b"\r\n")[1]
    assert head.split(b"\r\n") == [b"POST / HTTP/1.1", host, b"Content-Length: 4", b"X-Amz-Target: a"]
    assert body == b"body"
    assert received[1].startswith(b"GET /path HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_connection_that_the_server_closes_is_opened_again() -> None:
    closing = OK.replace(b"X-Amzn-RequestId: a", b"Connection: close")
    with serve([closing + b"ab"], [OK + b"cd"]) as (connection, _):
        connection.send("GET", "/", {})
        assert connection.receive(100).content == b"ab"
        connection.send("GET", "/", {})
        assert connection.receive(100).content == b"cd"


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (b"", "closed before the answer"),
        (OK + b"a", "closed before the answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no length"),
        (OK.replace(b": 2", b": two"), "no length"),
        (OK.replace(b": 2", b": 101"), "101 bytes: over 100"),
        (OK + b"abc", "longer than its length"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"x" * (MAX_HEAD_BYTES + 1), "head is longer"),
    ],
)
def test_anything_else_is_an_error(sent: bytes, problem: str) -> None:
    with serve([sent]) as (connection, _):
        connection.send("GET", "/", {})
        with pytest.raises(OSError, match=problem):
            connection.receive(100)


def test_an_answer_to_nothing_is_an_error() -> None:
    with pytest.raises(OSError, match="no call was sent"):
        PlainConnection("127.0.0.1", 1, timeout_s=1).receive(100)
