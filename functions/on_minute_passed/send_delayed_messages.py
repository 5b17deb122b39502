"""Send the delayed messages that are due.

Each is sent before it is removed: sending it twice does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock
from cascan.gateways import DelayedMessages, RequestQueue
from cascan.limits import MAX_DUE_AT_ONCE


@dataclass(frozen=True, slots=True)
class DelayedContext:
    """Where the messages are stored, and the queue that gets them."""

    messages: DelayedMessages
    queue: RequestQueue
    clock: Clock


def send_delayed_messages(context: DelayedContext) -> int:
    """The number of messages sent: at most MAX_DUE_AT_ONCE, the next tick sends the others."""
    sent = 0
    for message in list(context.messages.due(context.clock(), MAX_DUE_AT_ONCE)):
        context.queue.send(message.body)
        context.messages.done(message)
        sent += 1
    return sent
