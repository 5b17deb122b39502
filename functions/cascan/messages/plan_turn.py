"""What a turn does with a thread. Every function is pure.

The attempt is stored before the message is sent. A process that ends between these leaves an attempt
in the state `sending`; once SEND_LEASE_S have passed, it is known that the message may have arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import astuple, replace

from cascan.ids import derive_event_id
from cascan.limits import FIRST_RETRY_S, LONGEST_RETRY_S, MAX_SEND_TRIES, SEND_LEASE_S
from cascan.model.message import (
    AttemptState,
    Delivery,
    DeliveryState,
    MessageAttempt,
    MessageThread,
    Statement,
)

Decide = Callable[[Statement | None], Statement | None]
LEASE = timedelta(seconds=SEND_LEASE_S)
ENDED = "the process that sent it ended before the channel's answer was stored"
NOT_ARRIVED = frozenset({AttemptState.WAITING, AttemptState.PARKED})


def end_lease(thread: MessageThread, now: datetime, *, drops_repeats: bool) -> MessageThread:
    """The thread without an attempt of a process that has ended; unchanged if there is none.

    `drops_repeats`: the channel drops a message whose id it knows, so that the message is sent again.
    """
    attempt = thread.attempt
    if attempt is None or attempt.state is not AttemptState.SENDING or now < attempt.at + LEASE:
        return thread
    if drops_repeats and attempt.tries < MAX_SEND_TRIES:
        ended = replace(attempt, state=AttemptState.WAITING, again_at=now, reason=ENDED)
    else:
        ended = replace(attempt, state=AttemptState.UNKNOWN, reason=ENDED)
    return replace(thread, attempt=ended)


def begin_attempt(thread: MessageThread, decide: Decide, now: datetime, *, retries: bool = False) -> MessageThread:
    """The thread with an attempt to send its next message; unchanged if there is none.

    A message that has not arrived, and is not true any more, is forgotten: the next one has what is
    true now. `retries`: a parked message, and one that may have arrived, is sent again.
    """
    attempt = thread.attempt
    if attempt and attempt.state is AttemptState.SENDING:
        return thread
    statement = decide(thread.last if retries else thread.latest)
    if statement is None:
        is_outdated = attempt is not None and attempt.state in NOT_ARRIVED
        return replace(thread, attempt=None) if is_outdated else thread
    if attempt is None or attempt.statement != statement:
        return _start_attempt(thread, statement, now)
    if retries:
        return replace(thread, attempt=_repeat_attempt(attempt, now, tries=1))
    if attempt.state is AttemptState.WAITING and (attempt.again_at is None or now >= attempt.again_at):
        return replace(thread, attempt=_repeat_attempt(attempt, now, tries=attempt.tries + 1))
    return thread


def end_attempt(thread: MessageThread, delivery: Delivery, now: datetime, *, drops_repeats: bool) -> MessageThread:
    """The thread after the try to send its attempt."""
    attempt = thread.attempt
    if attempt is None:
        return thread
    if delivery.state is DeliveryState.DELIVERED:
        return replace(thread, last=attempt.statement, last_at=now, count=attempt.number, attempt=None)
    is_repeated = delivery.state is DeliveryState.BUSY or (delivery.state is DeliveryState.UNKNOWN and drops_repeats)
    if is_repeated and attempt.tries < MAX_SEND_TRIES:
        again_at = now + timedelta(seconds=min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** (attempt.tries - 1)))
        ended = replace(attempt, state=AttemptState.WAITING, again_at=again_at, reason=delivery.reason)
    else:
        is_unknown = delivery.state is DeliveryState.UNKNOWN
        state = AttemptState.UNKNOWN if is_unknown else AttemptState.PARKED
        ended = replace(attempt, state=state, again_at=None, reason=delivery.reason)
    return replace(thread, attempt=ended)


def find_next_turn(thread: MessageThread) -> datetime | None:
    """When the thread's attempt goes on by itself; None: it does not."""
    attempt = thread.attempt
    if attempt is None:
        return None
    return attempt.at + LEASE if attempt.state is AttemptState.SENDING else attempt.again_at


def _start_attempt(thread: MessageThread, statement: Statement, now: datetime) -> MessageThread:
    """The thread with a new attempt. An earlier one that may have arrived counts as arrived from now on."""
    attempt = thread.attempt
    if attempt and attempt.state is AttemptState.UNKNOWN:
        thread = replace(thread, last=attempt.statement, last_at=attempt.at, count=attempt.number)
    number = thread.count + 1
    message_id = derive_event_id("message", thread.channel, thread.key, number, *astuple(statement))
    started = MessageAttempt(
        statement=statement, state=AttemptState.SENDING, message_id=message_id, number=number, at=now
    )
    return replace(thread, attempt=started)


def _repeat_attempt(attempt: MessageAttempt, now: datetime, *, tries: int) -> MessageAttempt:
    return replace(attempt, state=AttemptState.SENDING, at=now, tries=tries, again_at=None)
