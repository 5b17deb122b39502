"""A clock that jumps from one event to the next."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualClock:
    """`now`: seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()  # events of one instant come in the order in which they were planned

    def datetime(self) -> datetime:
        return STARTED_AT + timedelta(seconds=self.now)

    def at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._numbers), event))

    def after(self, delay_s: float, event: Callable[[], None]) -> None:
        self.at(self.now + delay_s, event)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Run events until `is_over`, or until there are none."""
        while self._events and not is_over():
            self.now, _, event = heapq.heappop(self._events)
            event()
