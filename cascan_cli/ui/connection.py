"""One connection to the console: whose it is, and how long a request may take to arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cascan.limits import CONSOLE_REQUEST_S, MAX_CONSOLE_CONNECTIONS
from cascan_cli.ui.peer import may_connect

OTHER_USER = b"This console belongs to another user of this machine.\n"
REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(OTHER_USER), OTHER_USER)
)


class Connection(H11Protocol):
    """A connection of uvicorn with limits: no other program of the machine may hold connections for long.

    It is closed if it is one too many, if it is another user's, or if a request has not arrived as a whole within
    CONSOLE_REQUEST_S. Between requests uvicorn's limit for idle connections applies.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in its base
        super().connection_made(transport)
        if len(self.connections) > MAX_CONSOLE_CONNECTIONS:
            transport.abort()
        elif not self._is_welcome():
            transport.write(REFUSAL)
            transport.close()
        else:
            self._start_deadline()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():  # refused above
            return
        self._start_deadline()
        super().data_received(data)
        if self._has_arrived():
            self._end_deadline()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:  # idle now, which has a limit of its own
            self._end_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        super().connection_lost(exc)

    def _is_welcome(self) -> bool:
        if self.client is None:  # reset before it was accepted
            return False
        if self.server is None or self.server[1] is None:
            return True
        return may_connect(self.client, (self.server[0], self.server[1])) and not self._is_reset()

    def _is_reset(self) -> bool:
        """Whether the other end has reset the connection: the kernel knows no owner then, but what was sent is here."""
        end = self.transport.get_extra_info("socket")
        try:
            return end is not None and not end.getpeername()
        except OSError:
            return True

    def _has_arrived(self) -> bool:
        """Whether a whole request is here, which the pages answer in their own time."""
        state: Any = self.conn.their_state
        return state not in (h11.IDLE, h11.SEND_BODY)

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(CONSOLE_REQUEST_S, self.transport.abort)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
