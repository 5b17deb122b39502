"""Messages for later."""

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
    """Messages that are kept until they are due. A repeat with the same body and time is one message."""

    def due(self, now: datetime, limit: int) -> Iterator[DelayedMessage]:
        """At most `limit` messages whose time has come, the oldest first."""

    def done(self, message: DelayedMessage) -> None:
        """Forget a message that was sent."""
