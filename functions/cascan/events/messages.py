"""A message for a channel whose end listens on the bus."""

from __future__ import annotations

from typing import Any

from cascan.events.message import BusEvent


class MessageReady(BusEvent, frozen=True, kw_only=True):
    """A message for rules on the bus that send it on, such as one with an API destination.

    `event_id` is the message's id. `document` is the message in the format of the channel.
    """

    channel: str
    thread: str  # the key of the thread
    title: str  # one line
    document: dict[str, Any]
