"""Quiet hours of a channel: its messages wait until their end. Every function is pure.

Each time of quiet is a mute of that channel alone. It is stored when its first message waits, and its
end is like that of every mute.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cascan.limits import MAX_QUIET_DAYS
from cascan.messages.channel_settings import ChannelSettings
from cascan.model.mute import MuteSource, StoredMute
from cascan.timing.windows import Window, find_longest_span, find_open_span

ANY_WEEK = datetime(2026, 1, 5, tzinfo=UTC)


def find_quiet_problem(windows: Sequence[str]) -> str:
    """What is wrong with the windows; empty: nothing."""
    try:
        longest = find_longest_span([Window.parse(text) for text in windows], ANY_WEEK)
    except ValueError as exc:
        return str(exc)
    if longest > timedelta(days=MAX_QUIET_DAYS):
        return f"lasts longer than {MAX_QUIET_DAYS} days at a stretch; leave the channel out instead"
    return ""


def find_quiet(settings: ChannelSettings, now: datetime) -> StoredMute | None:
    """The time of quiet that holds now, as it is stored first; None: the channel is not quiet."""
    span = find_open_span([Window.parse(text) for text in settings.quiet], now)
    if span is None:
        return None
    begins_at, ends_at = span
    return StoredMute(
        mute_id=f"quiet-{settings.name}-{ends_at:%Y%m%dT%H%M}",
        begins_at=begins_at,
        ends_at=ends_at,
        channel=settings.name,
        reason="quiet hours",
        source=MuteSource.QUIET,
        revision=1,
    )
