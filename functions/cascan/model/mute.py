"""Mutes: the messages about some exposures and notices are held for a time.

The messages that would have been sent are held: the key of each thread, with the fields of a notice. After the end
the held threads take their turns, and what came and went is counted for each channel.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.model.finding import Severity

MUTE_PREFIX = "mute/"  # of the key of a thread with the summary of a mute
MUTE_ID_BYTES = 4  # of a random id
MUTE_SUMMARY = "mute-ended"  # the kind of its notice


class MuteSource(StrEnum):
    COMMAND = "command"
    FILE = "file"  # of channels
    QUIET = "quiet"  # hours of a channel


class PassedExposure(msgspec.Struct, frozen=True, kw_only=True):
    """One exposure that came and went."""

    severity: Severity
    address: str
    line: str  # as the summary names it


class PassedExposures(msgspec.Struct, frozen=True, kw_only=True):
    """What came and went while it was muted, for one channel."""

    count: int = 0
    worst: tuple[PassedExposure, ...] = ()  # the MAX_SUMMARY_LINES most severe, then in order of address


class StoredMute(msgspec.Struct, frozen=True, kw_only=True):
    """A mute that a person has set, by a command or in the file of channels.

    Without networks, owners and series it mutes everything.
    """

    mute_id: str
    begins_at: datetime
    ends_at: datetime
    networks: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    channel: str = ""  # the only one that is muted; empty: all are
    reason: str = ""
    by: str = ""  # a principal
    source: MuteSource = MuteSource.COMMAND
    # How far its end is
    passed: dict[str, PassedExposures] = {}  # by channel
    read_to: str = ""  # the key of the last held message that was worked off
    is_read: bool = False  # every held message was worked off
    closed_at: datetime | None = None  # the summaries are on their way
    revision: int = 0  # grows with every change in the table

    @property
    def key(self) -> str:
        """Of the thread with its summary."""
        return MUTE_PREFIX + self.mute_id

    def holds_at(self, now: datetime) -> bool:
        return self.closed_at is None and self.begins_at <= now < self.ends_at


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A thread in which a message may be due when the mute ends."""

    key: str
    notice: dict[str, str] = {}  # its fields; empty: it is about an exposure
    detail: str = ""  # of the notice's statement
    is_counted: bool = False  # another mute held it before, whose summary has it if it came and went

    @property
    def order(self) -> str:
        """Of two messages of a thread, the later one has the greater text."""
        return self.detail.rpartition("/")[0]
