"""The agenda: what has to be done for a scan, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from cascan.model.agenda import AgendaEntry


class Agenda(Protocol):
    """The agenda's entries. Each has a scan, a task, and the time when the task is due."""

    def add_to_agenda(self, entry: AgendaEntry) -> None:
        """Store the entry. A repeat stores nothing new."""

    def due(self, now: datetime, limit: int) -> Iterator[AgendaEntry]:
        """At most `limit` entries that are due at `now`, the oldest first."""

    def done(self, entry: AgendaEntry) -> None:
        """Remove the entry, if it exists."""
