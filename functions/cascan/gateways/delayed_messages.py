"""Messages that are sent later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from cascan.gateways.queues import RequestQueue


class DelayedMessage(msgspec.Struct, frozen=True):
    key: str
    body: str


class DelayedMessages(RequestQueue, Protocol):
    """Messages that are stored until they are due.

    Two messages with the same body and the same time are one message.
    """

    def due(self, now: datetime, limit: int) -> Iterator[DelayedMessage]:
        """At most `limit` messages that are due at `now`, the oldest first."""

    def done(self, message: DelayedMessage) -> None:
        """Remove a message that was sent."""
