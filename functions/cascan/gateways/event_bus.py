"""The event bus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from cascan.events import BusEvent


class EventBus(Protocol):
    def put(self, events: Iterable[BusEvent]) -> None:
        """Put every event on the bus. Raises: GatewayUnavailable: some events were not accepted."""
