"""What a connection may do: whose it is, how many there are, and how long a request may take to arrive."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import h11
import pytest
import uvicorn
from uvicorn.server import ServerState

from cascan.limits import CONSOLE_IDLE_S, CONSOLE_REQUEST_S, MAX_CONSOLE_CONNECTIONS, MAX_CONSOLE_HEADER_BYTES
from cascan_cli.ui.connection import Connection
from cascan_cli.ui.peer import find_user, may_connect

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
NOBODY = 65534
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a connection is")


class Transport(asyncio.Transport):
    """What a connection writes, and whether it was closed."""

    def __init__(self, **known: Any) -> None:
        super().__init__({"peername": ("127.0.0.1", 40_000), "sockname": ("127.0.0.1", 8822)} | known)
        self.written, self.is_closed = b"", False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Timer:
    def __init__(self, delay: float, call: Callable[[], None]) -> None:
        self.delay, self.call, self.is_cancelled = delay, call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Task:
    def add_done_callback(self, _: object) -> None:
        """It is never done."""


class Loop:
    """A loop whose time does not pass: it keeps what was to be called later, and runs no task."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay, call))
        return self.timers[-1]

    def create_task(self, coroutine: Any, **_: Any) -> Any:
        coroutine.close()
        return Task()

    @property
    def pending(self) -> list[float]:
        return [timer.delay for timer in self.timers if not timer.is_cancelled]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ServerState:
    monkeypatch.setattr("cascan_cli.ui.connection.may_connect", lambda *_: True)
    return ServerState()


async def answer_nothing(scope: Any, receive: Any, send: Any) -> None:
    """Never called: no task runs."""


def connect(server: ServerState, **known: Any) -> tuple[Connection, Transport, Loop]:
    """`known`: what the transport knows besides its two ends."""
    config = uvicorn.Config(
        answer_nothing,
        log_config=None,
        timeout_keep_alive=CONSOLE_IDLE_S,
        h11_max_incomplete_event_size=MAX_CONSOLE_HEADER_BYTES,
    )
    loop: Any = Loop()
    connection, transport = Connection(config, server, {}, loop), Transport(**known)
    connection.connection_made(transport)
    return connection, transport, loop


def test_a_connection_that_sends_nothing_or_half_a_header_ends(server: ServerState) -> None:
    connection, transport, loop = connect(server)
    for byte in REQUEST[:-1]:
        connection.data_received(bytes([byte]))
    (deadline,) = loop.timers  # the first moment counts, however often a byte arrives
    assert (deadline.delay, deadline.is_cancelled) == (CONSOLE_REQUEST_S, False)
    deadline.call()
    assert transport.is_closed


def test_a_whole_request_may_be_answered_for_longer(server: ServerState) -> None:
    connection, _, loop = connect(server)
    connection.data_received(REQUEST)
    assert loop.pending == []


def test_a_form_that_does_not_arrive_ends(server: ServerState) -> None:
    connection, transport, loop = connect(server)
    connection.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert loop.pending == [CONSOLE_REQUEST_S]
    loop.timers[0].call()
    assert transport.is_closed


def test_an_idle_connection_ends_and_the_next_request_has_its_time_again(server: ServerState) -> None:
    connection, _, loop = connect(server)
    connection.data_received(REQUEST)
    for event in (h11.Response(status_code=200, headers=[]), h11.EndOfMessage()):
        connection.conn.send(event)
    connection.on_response_complete()
    assert loop.pending == [CONSOLE_IDLE_S]
    connection.data_received(REQUEST[:5])
    assert loop.pending == [CONSOLE_REQUEST_S]


def test_a_header_may_not_be_longer_than_the_limit(server: ServerState) -> None:
    connection, transport, _ = connect(server)
    connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"x" * MAX_CONSOLE_HEADER_BYTES)
    assert transport.written.startswith(b"HTTP/1.1 400")
    assert transport.is_closed


def test_one_connection_too_many_is_closed_at_once(server: ServerState) -> None:
    transports = [connect(server)[1] for _ in range(MAX_CONSOLE_CONNECTIONS + 1)]
    assert [transport.is_closed for transport in transports] == [False] * MAX_CONSOLE_CONNECTIONS + [True]


def test_the_connection_of_another_user_is_refused_before_it_sends_anything(
    server: ServerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascan_cli.ui.connection.may_connect", lambda *_: False)
    connection, transport, loop = connect(server)
    assert transport.written.startswith(b"HTTP/1.1 403")
    assert transport.is_closed
    connection.data_received(REQUEST)
    assert not loop.timers
    assert not connection.cycle


@on_linux
@pytest.mark.parametrize("is_accepted_first", [True, False])
def test_what_came_over_a_connection_that_was_reset_is_not_read(
    server: ServerState, listener: socket.socket, *, is_accepted_first: bool
) -> None:
    client = socket.create_connection(listener.getsockname())
    accepted = listener.accept()[0] if is_accepted_first else None
    client.sendall(REQUEST)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with accepted or listener.accept()[0] as connected:
        assert connected.recv(100) == REQUEST  # a reset does not take it back
        connection, transport, _ = connect(server, socket=connected)
        connection.data_received(REQUEST)
    assert transport.is_closed
    assert not connection.cycle


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(30)
        yield listening


@on_linux
def test_the_kernel_says_whose_a_connection_is_and_of_a_closed_one_that_it_has_no_owner(
    listener: socket.socket,
) -> None:
    client = socket.create_connection(listener.getsockname())
    accepted, place = listener.accept()
    with accepted:
        with client:
            assert find_user(place, accepted.getsockname()) == os.getuid()
            assert may_connect(place, accepted.getsockname())
        assert find_user(place, accepted.getsockname()) == -1
        assert not may_connect(place, accepted.getsockname())


@on_linux
@pytest.mark.skipif(os.getuid() != 0, reason="only root can connect as another user")
def test_another_user_may_not_connect(listener: socket.socket) -> None:
    os.seteuid(NOBODY)
    try:
        client = socket.create_connection(listener.getsockname())
    finally:
        os.seteuid(0)
    accepted, place = listener.accept()
    with client, accepted:
        assert find_user(place, accepted.getsockname()) == NOBODY
        assert not may_connect(place, accepted.getsockname())


def test_where_the_system_cannot_say_a_connection_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_NETLINK", raising=False)
    assert may_connect(("127.0.0.1", 1), ("127.0.0.1", 2))


def test_who_used_sudo_may_use_a_console_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setattr("cascan_cli.ui.peer.find_user", lambda *_: 1234)
    assert may_connect(("127.0.0.1", 1), ("127.0.0.1", 2))
