"""Send the messages that were put off and are due. Each is sent before it is forgotten: twice does no harm."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock
from cascan.gateways import DelayedMessages, RequestQueue
from cascan.limits import MAX_DUE_AT_ONCE


@dataclass(frozen=True, slots=True)
class DelayedContext:
    messages: DelayedMessages
    queue: RequestQueue  # where they go
    clock: Clock


def send_delayed_messages(put_off: DelayedContext) -> int:
    """How many were sent; of more than MAX_DUE_AT_ONCE the others are the next tick's."""
    sent = 0
    for message in list(put_off.messages.due(put_off.clock(), MAX_DUE_AT_ONCE)):
        put_off.queue.send(message.body)
        put_off.messages.done(message)
        sent += 1
    return sent
