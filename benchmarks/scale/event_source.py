"""SQS → Lambda: a queue whose function runs more and more copies while messages wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from benchmarks.scale.clock import VirtualClock
from benchmarks.scale.setting import (
    ACCOUNT_INVOCATIONS,
    FIRST_INVOCATIONS,
    MAX_INVOCATIONS,
    MORE_INVOCATIONS_PER_MINUTE,
)

LOOK_AGAIN_S = 1.0
Work = Callable[[Any, Callable[[], None]], None]  # a message, and what to call when it is done


class Account:
    """The executions that all functions of the account share."""

    def __init__(self) -> None:
        self.running = 0


class EventSource:
    """`most`: MaximumConcurrency of the mapping."""

    def __init__(self, clock: VirtualClock, account: Account, work: Work, most: int = MAX_INVOCATIONS) -> None:
        self._clock, self._account, self._work, self._most = clock, account, work, most
        self._messages: deque[Any] = deque()
        self._backlog_since: float | None = None
        self._looks_again = False
        self.running = 0
        self.most_running = 0

    @property
    def waiting(self) -> int:
        return len(self._messages)

    def send(self, message: Any) -> None:
        self._messages.append(message)
        self._start()

    def _start(self) -> None:
        while self._messages and self.running < self._allowed() and self._account.running < ACCOUNT_INVOCATIONS:
            self.running += 1
            self._account.running += 1
            self.most_running = max(self.most_running, self.running)
            self._work(self._messages.popleft(), self._finish)
        if not self._messages:
            self._backlog_since = None
            return
        if self._backlog_since is None:
            self._backlog_since = self._clock.now
        if not self._looks_again:
            self._looks_again = True
            self._clock.after(LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        self._looks_again = False
        self._start()

    def _finish(self) -> None:
        self.running -= 1
        self._account.running -= 1
        self._start()

    def _allowed(self) -> int:
        backlog_s = 0.0 if self._backlog_since is None else self._clock.now - self._backlog_since
        scaled = FIRST_INVOCATIONS + int(backlog_s / 60 * MORE_INVOCATIONS_PER_MINUTE)
        return min(self._most, scaled)
