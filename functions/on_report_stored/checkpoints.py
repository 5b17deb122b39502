"""A report may take longer to record than a function may run, so it is recorded in several turns.

A turn saves a checkpoint every CHECKPOINT_EVERY_S and when its time is up. Then the report's message is sent again, and
the next turn reads on from there. A delivery that dies is continued from its last checkpoint, too. Of two deliveries
that record one report at a time, the one that is further continues alone. No turn is lost: a message is only deleted
once its checkpoint is stored. The other delivery sends the message again, for later: both may be deliveries of one
message, which the first of them to end deletes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import uuid4

from cascan.clock import TimeLeft, no_time_limit
from cascan.gateways import ScanTable
from cascan.ids import ReportKey
from cascan.model.recording import Recording
from cascan.nmap.intervals import Interval
from cascan.nmap.report.head import CHUNK_BYTES

MIN_PASS_S = 60.0  # a turn with less time than this is left to the next delivery
RESERVE_S = 40.0  # of a turn: for the hosts at hand, and to tell the changes and close the shard after the last ones
CHECKPOINT_EVERY_S = 15.0
RETRY_DELAY_S = 180  # longer than a turn: whoever was further has noted its end by then, or has died


class RecordingStatus(StrEnum):
    """Who records what a turn has left of its report."""

    DONE = ""
    CONTINUE = "to be continued"
    SUPERSEDED = "another delivery is further"


RETRY_AFTER_S = {
    RecordingStatus.CONTINUE: 0,
    RecordingStatus.SUPERSEDED: RETRY_DELAY_S,
}  # until the report's message comes again


@dataclass(slots=True)
class RecordingPass:
    """One delivery's share of a report. `size`: the report's bytes. `left_s`: until the function is stopped."""

    key: ReportKey
    table: ScanTable
    size: int = 0
    left_s: TimeLeft = no_time_limit
    _left_at_note_s: float = field(init=False)
    _writer: str = field(default_factory=lambda: str(uuid4()))  # this delivery, as no other: not even its repeat

    def __post_init__(self) -> None:
        self._left_at_note_s = self.left_s()

    def before(self) -> Recording | None:
        """How far the turns before this one came; None: this is the first, as far as anybody noted."""
        return self.table.recording(self.key) if self.size > CHUNK_BYTES else None  # of a shorter one nothing is noted

    @property
    def is_up(self) -> bool:
        return self.left_s() < RESERVE_S

    @property
    def has_to_note(self) -> bool:
        if self.size <= CHUNK_BYTES:
            return False
        return self.is_up or self._left_at_note_s - self.left_s() >= CHECKPOINT_EVERY_S

    def note(self, recording: Recording, addresses: Iterable[Interval]) -> bool:
        """Note how far the report is recorded. False: somebody else is as far, or further, and goes on with it."""
        self._left_at_note_s = self.left_s()
        return self.table.store_recording(self.key, recording, addresses, self._writer)
