"""The agenda: what is due for a scan, and when. And the switch that halts the whole stack."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class AgendaTask(StrEnum):
    DEADLINE = "deadline"  # the scan's time is up
    EXPIRE = "expire"  # its items and objects are to be removed
    RELEASE = "release"  # its shards waited, and may run by now
    LOOK = "look"  # messages that were lost are sent again


class AgendaEntry(msgspec.Struct, frozen=True):
    due_at: datetime
    scan_id: str
    task: AgendaTask


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """The stack is halted: nothing is scanned until the halt is lifted."""

    halted_at: datetime
    by: str = ""
    reason: str = ""
    sender: str = ""  # who sent the message, according to SQS; `by` is only a claim in the message
