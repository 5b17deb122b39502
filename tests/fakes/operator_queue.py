"""A queue as an operator handles it, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from msgspec.structs import replace

from cascan.aws.sqs.park_message import REASON
from cascan.model.dead_letter import DeadLetter
from tests.fakes.shards import Breakable
from tests.support.builders import NOW


@dataclass
class MemoryOperatorQueue(Breakable):
    """What is held is hidden until it is released; time does not pass."""

    messages: dict[str, DeadLetter] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    ids: Iterator[int] = field(default_factory=count)

    def put(self, body: str, attributes: dict[str, str] | None = None) -> str:
        """A message that lies in the queue. Returns its id."""
        message_id = f"{next(self.ids):08d}-message"
        self.messages[message_id] = DeadLetter(
            message_id=message_id, body=body, receipt="", sent_at=NOW, received=0, attributes=attributes or {}
        )
        return message_id

    def count(self) -> int:
        self._reach()
        return len(self.messages)

    def hold_messages(self, limit: int, hold_s: int) -> Iterator[DeadLetter]:
        self._reach()
        visible = [letter for letter in self.messages.values() if letter.message_id not in self.held]
        for letter in visible[:limit]:
            received = replace(
                letter, received=letter.received + 1, receipt=f"{letter.message_id}/{letter.received + 1}"
            )
            self.messages[letter.message_id] = received
            self.held.add(letter.message_id)
            yield received

    def release(self, letters: Sequence[DeadLetter]) -> None:
        self._reach()
        self.held -= {letter.message_id for letter in letters}

    def send(self, letter: DeadLetter) -> None:
        self._reach()
        self.put(letter.body, {name: value for name, value in letter.attributes.items() if name != REASON})

    def delete(self, letter: DeadLetter) -> None:
        self._reach()
        self.messages.pop(letter.message_id, None)
        self.held.discard(letter.message_id)
