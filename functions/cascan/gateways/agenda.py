"""What is due, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from cascan.model.agenda import AgendaEntry


class Agenda(Protocol):
    """Entries about scans, each with the time when it is due."""

    def add_to_agenda(self, entry: AgendaEntry) -> None:
        """Put on the agenda; a repeat is one entry."""

    def due(self, now: datetime, limit: int) -> Iterator[AgendaEntry]:
        """At most `limit` entries whose time has come, the oldest first."""

    def done(self, entry: AgendaEntry) -> None:
        """Take off the agenda; also one that is not there."""
