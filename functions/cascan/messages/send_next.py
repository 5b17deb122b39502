"""One turn of a thread: decide on the next message, store the attempt, send it, store how that ended.

Each write has a condition on the thread's revision, so of two processes one sends. What happens if a
process ends in between is in plan_turn.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from cascan.clock import Clock
from cascan.errors import GatewayUnavailable
from cascan.gateways import MessageChannel, MessageThreads
from cascan.limits import MAX_THREAD_WRITES
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.plan_turn import Decide, begin_attempt, end_attempt, end_lease, find_next_turn
from cascan.model.message import AttemptState, DeliveryState, MessageAttempt, MessageThread, OutgoingMessage

Render = Callable[[MessageAttempt], OutgoingMessage]
STOPPED = frozenset({AttemptState.PARKED, AttemptState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Sender:
    """A channel, and where its threads are stored."""

    name: str
    channel: MessageChannel
    threads: MessageThreads
    clock: Clock
    drops_repeats: bool = False  # its other end drops a message whose id it knows


@dataclass(frozen=True, slots=True)
class Listener:
    """A channel as the file describes it, and the way to it."""

    settings: ChannelSettings
    sender: Sender


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a turn."""

    is_sent: bool = False
    parked: str = ""  # why a message will not be sent again by itself; empty: none was parked
    again_at: datetime | None = None  # when the next turn is due; None: with the next event
    waits_for_look: bool = False  # the next turn may send what only one look has shown


def send_next(
    key: str,
    sender: Sender,
    decide: Decide,
    render: Render,
    *,
    retries: bool = False,
    notice: dict[str, str] | None = None,
) -> Turn:
    """Send the next message of the thread, if there is one.

    `decide`: from the last statement to the next one; None: there is none. `retries`: a parked
    message, and one that may have arrived, is sent again. `notice`: the fields that are stored with
    the message until it has arrived.

    Raises: GatewayUnavailable: other writers were faster MAX_THREAD_WRITES times.
    """
    parked = ""
    for _ in range(MAX_THREAD_WRITES):
        stored = sender.threads.get_thread(key, sender.name) or MessageThread(key=key, channel=sender.name)
        now = sender.clock()
        thread = end_lease(stored, now, drops_repeats=sender.drops_repeats)
        if thread == stored:
            thread = begin_attempt(stored, decide, now, retries=retries)
        if thread == stored:
            return Turn(parked=parked, again_at=find_next_turn(stored))
        is_sending = thread.attempt is not None and thread.attempt.state is AttemptState.SENDING
        message = render(thread.attempt) if thread.attempt and is_sending else None
        if message and thread.attempt:
            attempt = replace(thread.attempt, title=message.title, notice=notice or {})
            thread = replace(thread, attempt=attempt)
        thread = replace(thread, revision=stored.revision + 1)
        if not sender.threads.put_thread(thread):
            continue
        if message:
            return _send(thread, message, sender)
        parked = parked or _find_parked(thread)
    raise GatewayUnavailable(f"{key} on {sender.name}: other writers kept changing the thread")


def _send(thread: MessageThread, message: OutgoingMessage, sender: Sender) -> Turn:
    delivery = sender.channel.send(message)
    for _ in range(MAX_THREAD_WRITES):
        ended = end_attempt(thread, delivery, sender.clock(), drops_repeats=sender.drops_repeats)
        ended = replace(ended, revision=thread.revision + 1)
        if sender.threads.put_thread(ended):
            return Turn(is_sent=ended.attempt is None, parked=_find_parked(ended), again_at=find_next_turn(ended))
        # This took longer than the lease, and another turn has marked the attempt
        current = sender.threads.get_thread(thread.key, thread.channel)
        if current is None or current.attempt is None or current.attempt.message_id != message.message_id:
            break
        thread = current
    return Turn(is_sent=delivery.state is DeliveryState.DELIVERED)


def _find_parked(thread: MessageThread) -> str:
    attempt = thread.attempt
    return attempt.reason if attempt and attempt.state in STOPPED else ""
