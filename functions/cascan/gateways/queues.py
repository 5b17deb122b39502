"""The request queue, both ends of the shard queues, and the queue of returned shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from cascan.events import ShardQueued, ShardReturned
from cascan.model.shard import Lane
from cascan.model.vantage import DEFAULT_VANTAGE


class RequestQueue(Protocol):
    def send(self, body: str, *, delay_s: int = 0) -> str:
        """Queue a request, visible after `delay_s` seconds. Returns the message's id."""


class ShardQueues(Protocol):
    """The queues that workers drain, one for each lane of each vantage."""

    def send(
        self,
        lane: Lane,
        messages: Iterable[ShardQueued],
        *,
        delay_s: int = 0,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        """Queue every message for the workers of the vantage; it becomes visible after `delay_s` seconds.

        Raises: GatewayUnavailable: some messages were not accepted.
        """

    def waiting(self, lane: Lane) -> int:
        """How many messages no worker has received; SQS counts approximately."""

    def held(self, lane: Lane) -> int:
        """How many messages workers hold, or held until lately; approximate as well."""


class ReturnedShards(Protocol):
    """The queue of shards that workers return, the only one that they send to."""

    def send(self, message: ShardReturned) -> None:
        """Return a shard: a function decides what becomes of it."""

    def park(self, body: str, reason: str) -> None:
        """Return a message of a shard queue that no retry can help; it is parked with the reason."""


class Received(msgspec.Struct, frozen=True):
    """One delivery of a message of a shard queue, hidden from other workers for a while."""

    body: str
    receipt: str  # identifies this delivery
    message_id: str  # the same for every delivery of the message
    deliveries: int = 1  # so far, this one included; SQS counts approximately


class ShardSource(Protocol):
    """A worker's end of its shard queue."""

    def receive(self, wait_s: int, hold_s: int) -> Received | None:
        """The next message, hidden from other workers for `hold_s` seconds.

        None: no message came within `wait_s` seconds.
        """

    def hold(self, received: Received, hold_s: int) -> None:
        """Hide the message for `hold_s` seconds from now; 0 makes it visible at once."""

    def delete(self, received: Received) -> None:
        """Remove the message from the queue, since it is handled."""
