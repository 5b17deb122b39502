"""A migration: what an earlier version stored, moved to the present layout of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class MigrationResult:
    """What a migration did."""

    hosts: int = 0  # records
    networks: int = 0
    scans: int = 0  # whose findings were moved
    findings: int = 0
    open: int = 0  # scans that keep layout 1 for now: they have not ended, or not long ago
    unreadable: int = 0  # findings that were copied as they are


TellMigration = Callable[[MigrationResult], None]
