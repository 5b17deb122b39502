"""A report may take longer to record than a function may run, so it is recorded in several turns.

A turn saves a checkpoint every CHECKPOINT_EVERY_S and when its time is up. Then the report's
message is sent again, and the next turn reads on from there. A delivery that dies is continued from
its last checkpoint, too. Of two deliveries that record one report at a time, the one that is
further continues alone. No turn is lost: a message is only deleted once its checkpoint is stored.
The other delivery sends the message again, for later: both may be deliveries of one message, which
the first of them to end deletes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from uuid import uuid4

from msgspec.structs import replace

from cascan.clock import TimeLeft, no_time_limit
from cascan.gateways import ReportResults
from cascan.ids import ReportKey
from cascan.limits import MAX_RECORDING_TURNS
from cascan.model.recording import PublishedChanges, Recording
from cascan.nmap.intervals import Interval
from cascan.nmap.report.head import CHUNK_BYTES

MIN_TURN_S = 60.0  # with less time than this, a report is left to the next delivery
# Of a turn: for the hosts at hand, for publishing the changes and closing the shard
RESERVE_S = 40.0
CHECKPOINT_EVERY_S = 15.0
# Longer than a turn: a delivery that was further has saved its end by then, or has died
RETRY_DELAY_S = 180


class RecordingStatus(StrEnum):
    """What a turn leaves of its report, and who records that."""

    DONE = ""
    CONTINUE = "to be continued"  # by the next delivery
    SUPERSEDED = "another delivery is further"


# How long after a turn the report's message is received again, in seconds
RETRY_AFTER_S = {RecordingStatus.CONTINUE: 0, RecordingStatus.SUPERSEDED: RETRY_DELAY_S}


@dataclass
class RecordingTurn:
    """One delivery's share of recording a report."""

    key: ReportKey
    table: ReportResults
    size: int = 0  # of the report, in bytes
    left_s: TimeLeft = no_time_limit  # until the function is stopped
    _left_at_checkpoint_s: float = field(init=False)
    # Unlike any other delivery, even of the same message
    _writer: str = field(default_factory=lambda: str(uuid4()))

    def __post_init__(self) -> None:
        self._left_at_checkpoint_s = self.left_s()

    @cached_property
    def previous(self) -> Recording | None:
        """The checkpoint that this turn starts from; None: there is none."""
        return self.table.recording(self.key) if self._has_checkpoints else None

    @property
    def published(self) -> PublishedChanges:
        """The changes that earlier turns published."""
        return self.previous.published if self.previous else PublishedChanges()

    @property
    def is_time_up(self) -> bool:
        return self.left_s() < RESERVE_S

    @property
    def is_checkpoint_due(self) -> bool:
        if not self._has_checkpoints:
            return False
        return self.is_time_up or self._left_at_checkpoint_s - self.left_s() >= CHECKPOINT_EVERY_S

    @property
    def may_read_on_later(self) -> bool:
        """Another turn may read what this one leaves."""
        return self._turns + 1 < MAX_RECORDING_TURNS

    @property
    def may_publish_later(self) -> bool:
        """Another turn may publish the changes that this one leaves; reading had as many turns."""
        return self._turns + 1 < 2 * MAX_RECORDING_TURNS

    def explain_limit(self, hosts_read: int) -> str:
        """Why no other turn reads what this one leaves."""
        problem = f"it took more than {MAX_RECORDING_TURNS} turns"
        return f"{problem}; {hosts_read} hosts of it are recorded"

    def save_checkpoint(
        self,
        recording: Recording,
        addresses: Iterable[Interval] = (),
        *,
        ends_turn: bool,
    ) -> bool:
        """Store how far the report is recorded; `addresses`: those of its last stretch.

        False: another delivery is as far, or further, and continues with the report.
        """
        self._left_at_checkpoint_s = self.left_s()
        counted = replace(recording, turns=self._turns + ends_turn)
        return self.table.store_recording(self.key, counted, addresses, self._writer)

    @property
    def _has_checkpoints(self) -> bool:
        """A shorter report is recorded in one turn."""
        return self.size > CHUNK_BYTES

    @property
    def _turns(self) -> int:
        return self.previous.turns if self.previous else 0
