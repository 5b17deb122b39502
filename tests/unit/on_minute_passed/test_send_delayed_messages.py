"""What was put off is sent once it is due, and lost by nothing that breaks off between."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cascan.errors import GatewayUnavailable
from on_minute_passed.send_delayed_messages import DelayedContext, send_delayed_messages
from tests.fakes.cascades import MemoryRequestQueue
from tests.fakes.schedules import MemoryDelayedMessages
from tests.support.builders import NOW, clock


def test_what_is_due_is_sent_and_forgotten_and_the_rest_waits() -> None:
    messages, queue = MemoryDelayedMessages(), MemoryRequestQueue()
    messages.send("now")
    messages.send("later", delay_s=60)
    assert (send_delayed_messages(DelayedContext(messages, queue, clock)), queue.sent) == (1, ["now"])
    assert send_delayed_messages(DelayedContext(messages, queue, clock)) == 0
    assert send_delayed_messages(DelayedContext(messages, queue, lambda: NOW + timedelta(seconds=60))) == 1
    assert queue.sent == ["now", "later"]


def test_a_message_that_could_not_be_sent_stays() -> None:
    messages, queue = MemoryDelayedMessages(), MemoryRequestQueue()
    messages.send("now")
    send = queue.send
    queue.send = failing  # type: ignore[method-assign]
    with pytest.raises(GatewayUnavailable):
        send_delayed_messages(DelayedContext(messages, queue, clock))
    queue.send = send  # type: ignore[method-assign]
    assert (send_delayed_messages(DelayedContext(messages, queue, clock)), queue.sent) == (1, ["now"])


def failing(body: str, *, delay_s: int = 0) -> str:
    raise GatewayUnavailable("schedule queue")
