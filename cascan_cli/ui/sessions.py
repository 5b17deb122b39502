"""The browsers that may use the console: each exchanges a one-time token for a session."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cascan.limits import CONSOLE_SESSION_S, MAX_CONSOLE_SESSIONS

TOKEN_BYTES, NAME_BYTES = 32, 4
Seconds = Callable[[], float]


def make_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


@dataclass
class Session:
    """One browser. `csrf` is in each of its forms; `message` is shown on its next page."""

    key: str
    ends_at: float
    csrf: str = field(default_factory=make_token)
    message: str = ""

    def take_message(self) -> str:
        message, self.message = self.message, ""
        return message


class Sessions:
    """Sessions in memory: they end with the console.

    `announce`: called with the next token once one was used, for a second browser.
    """

    def __init__(self, announce: Callable[[str], None] = lambda _: None, seconds: Seconds = time.monotonic) -> None:
        self.token = make_token()
        self.name = secrets.token_hex(NAME_BYTES)  # of this console's cookie: no earlier one has the same
        self.announce, self._seconds = announce, seconds
        self._sessions: dict[str, Session] = {}

    def exchange(self, token: str) -> Session | None:
        """A new session for the token, which is invalid from now on. None: the token is not valid."""
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        self.token = make_token()
        self.announce(self.token)
        session = Session(make_token(), self._seconds() + CONSOLE_SESSION_S)
        self._sessions[session.key] = session
        while len(self._sessions) > MAX_CONSOLE_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        return session

    def find(self, key: str) -> Session | None:
        """The session with this key. None: there is none, or it has ended."""
        session = self._sessions.get(key)
        if session is None or session.ends_at > self._seconds():
            return session
        del self._sessions[key]
        return None
