"""SQS as it promises to be, no better: at least once, in any order, late; hidden while it is held; redriven."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cascan.errors import CascanError, GatewayUnavailable
from cascan.events import ShardQueued, ShardReturned
from cascan.gateways import Received
from cascan.model.shard import Lane
from cascan.model.vantage import DEFAULT_VANTAGE
from tests.simulation.clockwork import Clockwork

TWICE = 0.05  # of deliveries
DELETE_FORGOTTEN = 0.02  # the message comes again although it was deleted


@dataclass
class Message:
    message_id: str
    body: str
    visible_at: datetime
    received: int = 0
    receipts: int = 0


@dataclass
class Queue:
    """One queue. `handler`, if set, is called for each delivery, as Lambda's poller would; else workers `receive`."""

    name: str
    clockwork: Clockwork
    visibility_s: float
    max_receives: int = 5
    dead: Queue | None = None
    handler: Callable[[Message], object] | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    sent: int = 0

    def send(self, body: str, delay_s: float = 0, message_id: str = "") -> str:
        self.sent += 1
        message_id = message_id or f"{self.name}-{self.sent}"
        late_s = delay_s + self.clockwork.random.choice((0, 0, 0.1, 1, 20))
        message = Message(message_id, body, self.clockwork.now + timedelta(seconds=late_s))
        self.messages[message_id] = message
        if self.handler:
            self.clockwork.after(late_s, lambda: self._deliver(message))
        return message_id

    def receive(self, hold_s: float) -> Message | None:
        """Any message that is visible."""
        visible = [m for m in self.messages.values() if m.visible_at <= self.clockwork.now]
        for message in self.clockwork.random.sample(visible, len(visible)):
            if self._hide(message, hold_s):
                return message
        return None

    def change(self, message: Message, hold_s: float) -> None:
        if message.message_id in self.messages:
            message.visible_at = self.clockwork.now + timedelta(seconds=hold_s)

    def delete(self, message: Message) -> None:
        if self.clockwork.faults.crash and self.clockwork.chance(DELETE_FORGOTTEN):
            self.clockwork.say(f"{self.name} forgets that {message.message_id} was deleted")
            return
        self.messages.pop(message.message_id, None)

    def _hide(self, message: Message, hold_s: float) -> bool:
        """Count a delivery. False: it was one too many, and the message is a dead letter now."""
        message.received += 1
        if self.dead and message.received > self.max_receives:
            self.clockwork.say(f"{message.message_id} moves to {self.dead.name}")
            del self.messages[message.message_id]
            self.dead.send(message.body, message_id=message.message_id)
            return False
        message.visible_at = self.clockwork.now + timedelta(seconds=hold_s)
        return True

    def _deliver(self, message: Message) -> None:
        if message.message_id not in self.messages or message.visible_at > self.clockwork.now:
            return
        if not self._hide(message, self.visibility_s):
            return
        self.clockwork.after(self.visibility_s, lambda: self._deliver(message))
        self.clockwork.say(f"{self.name} delivers {message.message_id}, for the {message.received}. time")
        twice = self.clockwork.faults.crash and self.clockwork.chance(TWICE)
        for _ in range(2 if twice else 1):
            self.clockwork.spawn(f"{self.name}/{message.message_id}", lambda: self._handle(message))

    def _handle(self, message: Message) -> None:
        assert self.handler
        try:
            self.handler(message)
        except CascanError as exc:  # its message returns; anything else is a bug, and ends the run
            self.clockwork.say(f"{self.name}: {message.message_id} failed: {exc!r}")
        else:
            self.clockwork.say(f"{self.name}: {message.message_id} is done with")
            self.delete(message)


class SimulatedShardQueues:
    """ShardQueues over Queue."""

    def __init__(self, queues: dict[Lane, Queue]) -> None:
        self._queues = queues

    def send(
        self, lane: Lane, messages: Iterable[ShardQueued], *, delay_s: int = 0, vantage: str = DEFAULT_VANTAGE
    ) -> None:
        for message in messages:
            self._queues[lane].send(message.to_wire(), delay_s)

    def waiting(self, lane: Lane) -> int:
        return len(self._queues[lane].messages)

    def held(self, lane: Lane) -> int:
        queue = self._queues[lane]
        return sum(message.visible_at > queue.clockwork.now for message in queue.messages.values())


class SimulatedReturnedShards:
    """ReturnedShards over Queue."""

    def __init__(self, queue: Queue, parked: Queue) -> None:
        self._queue, self._parked = queue, parked

    def send(self, message: ShardReturned) -> None:
        self._queue.send(message.to_wire())

    def park(self, body: str, reason: str) -> None:
        self._parked.send(body)


class SimulatedShardSource:
    """ShardSource over Queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._held: dict[str, tuple[Message, int]] = {}

    def receive(self, wait_s: int, hold_s: int) -> Received | None:
        message = self._queue.receive(hold_s)
        if message is None:
            return None
        message.receipts += 1
        receipt = f"{message.message_id}/{message.receipts}"
        self._held[receipt] = (message, message.receipts)
        return Received(message.body, receipt, message.message_id)

    def hold(self, received: Received, hold_s: int) -> None:
        message, number = self._held[received.receipt]
        if message.receipts != number:
            raise GatewayUnavailable("the receipt is stale")
        self._queue.change(message, hold_s)

    def delete(self, received: Received) -> None:
        message, _ = self._held[received.receipt]
        self._queue.delete(message)
