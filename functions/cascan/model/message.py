"""Threads of messages: the last message about one subject on one channel, and the one on its way.

A thread has a key that says what it is about: `exposure/<id>`, `series/<name>` and so on. There is
one thread for each key and channel. Its messages are numbered from 1.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.model.finding import Severity

EXPOSURE_PREFIX = "exposure/"  # of the key of a thread about an exposure


class Step(StrEnum):
    """What a message reports of its subject."""

    UNCONFIRMED = "unconfirmed"  # one look shows it, and no second one is to be expected soon
    CONFIRMED = "confirmed"
    UPDATED = "updated"  # its severity has changed
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    EXPIRING = "expiring"  # its acceptance ends soon
    REOPENED = "reopened"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"  # a second look did not confirm it
    NOTICE = "notice"  # something that happened once


CLOSED_STEPS = frozenset({Step.RESOLVED, Step.WITHDRAWN})


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a message reports. Two equal statements in a row are one."""

    step: Step
    episode: int = 0  # of the exposure
    severity: Severity = Severity.INFORMATIONAL
    detail: str = ""  # what else makes it differ: the last day of an acceptance, the id of a scan


class AttemptState(StrEnum):
    """How far the newest message of a thread is."""

    SENDING = "sending"  # stored before it is sent; its process may have ended since
    WAITING = "waiting"  # the channel did not take it, and it is sent again
    PARKED = "parked"  # the channel did not take it, and it is not sent again by itself
    UNKNOWN = "unknown"  # it may have arrived, so it is not sent again by itself


class MessageAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """The newest message of a thread, unless it has arrived."""

    statement: Statement
    state: AttemptState
    message_id: str  # the same for every try
    number: int  # of the message in its thread, from 1
    at: datetime  # of the newest try
    title: str = ""
    tries: int = 1
    again_at: datetime | None = None  # while it waits
    reason: str = ""  # why it has not arrived
    notice: dict[str, str] = {}  # the fields of a notice; empty: the message is about an exposure


class MessageThread(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    channel: str
    last: Statement | None = None  # that has arrived, or may have; None: nothing has
    last_at: datetime | None = None
    count: int = 0  # messages that have arrived, or may have
    attempt: MessageAttempt | None = None
    revision: int = 0  # grows with every change in the table

    @property
    def latest(self) -> Statement | None:
        """The statement of the last message, which may not have arrived."""
        if self.attempt and self.attempt.state is AttemptState.UNKNOWN:
            return self.attempt.statement
        return self.last


class DeliveryState(StrEnum):
    DELIVERED = "delivered"
    BUSY = "busy"  # the channel did not take it, and may take it later
    REFUSED = "refused"  # the channel does not take it
    UNKNOWN = "unknown"  # it may have arrived


class Delivery(msgspec.Struct, frozen=True):
    """What came of one try to send a message."""

    state: DeliveryState
    reason: str = ""


class OutgoingMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a channel sends it."""

    message_id: str  # the same for every try
    key: str  # of its thread
    title: str  # one line
    body: str  # in the format of the channel: text or JSON
    content_type: str = "application/json"


class StoredChannels(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's file of channels. `version` counts from 1."""

    version: int
    stored_at: datetime
    text: str
    stored_by: str = ""  # a principal
    parsed: str = ""  # what was read from the text, as JSON of the version that stored it
