"""A migration: what an earlier version stored, moved to the present layout of the table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec


class MigrationResult(msgspec.Struct):
    """What a migration did."""

    hosts: int = 0  # records
    networks: int = 0
    scans: int = 0  # whose findings were moved
    findings: int = 0
    open: int = 0  # scans that keep layout 1 for now: they have not ended, or not long ago
    unreadable: int = 0  # findings that were copied as they are


class MigrationCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a migration has read the table. `version` counts from 1."""

    version: int
    saved_at: datetime
    pk: str  # of the last item that it read
    sk: str
    result: MigrationResult  # so far


TellMigration = Callable[[MigrationResult], None]
