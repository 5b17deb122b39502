"""Instants: aware UTC inside, ISO 8601 ending in `Z` on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import inf

Clock = Callable[[], datetime]
TimeLeft = Callable[[], float]  # seconds until the function is stopped


def no_time_limit() -> float:
    """The time left outside a function: infinite."""
    return inf


def utc_now() -> datetime:
    return datetime.now(UTC)


def to_wire(moment: datetime) -> str:
    """`2026-01-31T23:59:59.000Z`: milliseconds always, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_wire(text: str) -> datetime:
    """Raises: ValueError: not an instant."""
    return datetime.fromisoformat(text)
