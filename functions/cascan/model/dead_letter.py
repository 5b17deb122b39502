"""A message that was given up, as it lies in a dead-letter queue."""

from __future__ import annotations

from datetime import datetime

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    message_id: str
    body: str
    receipt: str  # of this delivery: what holds, releases or deletes the message
    sent_at: datetime  # when the message was first sent, before it was moved here
    received: int  # deliveries, in its first queue and here
    attributes: dict[str, str] = {}  # text attributes, such as the reason why it was parked
