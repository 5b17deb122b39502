"""The queues: of requests, and of shards from both ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from cascan.events import ShardQueued
from cascan.model.shard import Lane


class RequestQueue(Protocol):
    def send(self, body: str, *, delay_s: int = 0) -> str:
        """Queue a scan request, to be received after `delay_s` seconds; the message's id."""


class ShardQueues(Protocol):
    """The queues that workers drain, one a lane."""

    def send(self, lane: Lane, messages: Iterable[ShardQueued], *, delay_s: int = 0) -> None:
        """Queue every message, to be received after `delay_s` seconds, or raise."""

    def give_up(self, lane: Lane, message: ShardQueued) -> None:
        """Put a message where those of the lane go that are out of attempts."""

    def park(self, lane: Lane, body: str, reason: str) -> None:
        """Put a message of the lane among its dead letters, with the reason: no retry can help it."""

    def waiting(self, lane: Lane) -> int:
        """Messages that no worker has received; approximate, as SQS counts."""

    def held(self, lane: Lane) -> int:
        """Messages that workers hold, or held until lately; approximate as well."""


class Received(msgspec.Struct, frozen=True):
    """One message of a shard queue, hidden from others for a while."""

    body: str
    receipt: str  # of this delivery
    message_id: str  # of every delivery of the message
    deliveries: int = 1  # so far, this one included; approximate, as SQS counts


class ShardSource(Protocol):
    """A worker's end of its shard queue."""

    def receive(self, wait_s: int, hold_s: int) -> Received | None:
        """The next message, hidden from others for `hold_s` seconds; None after `wait_s` seconds without one."""

    def hold(self, received: Received, hold_s: int) -> None:
        """Hide the message for another `hold_s` seconds from now; 0 gives it back at once."""

    def delete(self, received: Received) -> None:
        """The message is done with."""
