"""When the daily check of exposures is due."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

START_OF_DAY = time(0, 1, tzinfo=UTC)


def next_day(now: datetime) -> datetime:
    """A minute after the next midnight, UTC."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), START_OF_DAY)
