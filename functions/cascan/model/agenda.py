"""What is to be done with a scan at a certain time, and the switch that halts the whole stack."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class AgendaTask(StrEnum):
    DEADLINE = "deadline"  # the scan has had its time
    EXPIRE = "expire"  # its items and objects are to go
    RELEASE = "release"  # its shards were held, and may run by now
    LOOK = "look"  # is anything of it left lying?


class AgendaEntry(msgspec.Struct, frozen=True):
    due_at: datetime
    scan_id: str
    task: AgendaTask


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is scanned until it is lifted."""

    halted_at: datetime
    by: str = ""
    reason: str = ""
    sender: str = ""  # who sent the message, as SQS tells it; `by` is what the message says
