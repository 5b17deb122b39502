"""Maintenance windows: the hours in which a scan may send packets.

Written `[DAYS] HH:MM-HH:MM [ZONE]`, as in `22:00-06:00`, `Mon-Fri 22:00-06:00 Europe/Berlin`, `Sat,Sun 00:00-24:00`.
The days are those on which a window opens; one that ends at or before its beginning ends on the next day; the zone is
UTC if none is named. Where clocks are put back or forward a window is the shorter of what its times can mean; one that
lies within the hour that comes twice opens once, the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import msgspec

from cascan.limits import MAX_WINDOW_CHARS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
AHEAD = timedelta(days=9)  # a week, and a day at each end: the same window opens again within it
DAY = timedelta(days=1)
WRITTEN = re.compile(
    r"(?:(?P<days>[A-Za-z,-]+)\s+)?(?P<begin>\d{1,2}:\d\d)\s*-\s*(?P<end>\d{1,2}:\d\d)(?:\s+(?P<zone>[A-Za-z0-9_+/-]+))?"
)
FORM = "write it as 'Mon-Fri 22:00-06:00 Europe/Berlin': days and zone may be left out"


class Window(msgspec.Struct, frozen=True):
    days: frozenset[int]  # 0 is Monday
    begin: timedelta  # since midnight
    end: timedelta  # since the same midnight, beyond `begin`
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> Window:
        """Raises: ValueError: one sentence, with the fix."""
        match = WRITTEN.fullmatch(text.strip()) if len(text) <= MAX_WINDOW_CHARS else None
        if not match:
            raise ValueError(f"{text[:80]!r} is no window: {FORM}")
        begin, end = (_since_midnight(match[part], text) for part in ("begin", "end"))
        if begin in (end, DAY):
            raise ValueError(f"{text[:80]!r} is no window: it ends where it begins")
        return cls(_days(match["days"], text), begin, end if end > begin else end + DAY, _zone(match["zone"] or "UTC"))

    def span(self, day: date) -> tuple[datetime, datetime] | None:
        """When the window that opens on `day` begins and ends, in UTC; None: none does."""
        if day.weekday() not in self.days:
            return None
        begins, ends = self._instants(day, self.begin), self._instants(day, self.end)
        begin, end = max(begins), min(ends)
        if begin < end:
            return begin, end
        comes_twice = begins[0] < begins[1] and ends[0] < ends[1]  # a time that is skipped is the other way round
        return (begins[0], ends[0]) if comes_twice else None

    def _instants(self, day: date, since_midnight: timedelta) -> tuple[datetime, datetime]:
        """What a wall clock's time can mean: two instants where clocks change, else the same twice."""
        wall = datetime.combine(day, time()) + since_midnight
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return first, second


class Opening(msgspec.Struct, frozen=True):
    """Whether a scan may run, and when that changes."""

    is_open: bool
    until: datetime


def find_opening(windows: Sequence[Window], now: datetime) -> Opening | None:
    """What the windows say of `now`; None: there are none, and the scan may always run."""
    if not windows:
        return None
    for begin, end in _merged(_spans(windows, now)):
        if now < begin:
            return Opening(is_open=False, until=begin)
        if now < end:
            return Opening(is_open=True, until=end)
    return Opening(is_open=False, until=now + AHEAD)  # clocks skip over the only window there is: look again then


def _spans(windows: Iterable[Window], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    first = (now - 2 * DAY).date()
    for window in windows:
        for number in range(AHEAD.days + 2):
            if span := window.span(first + number * DAY):
                yield span


def _merged(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """The spans in order, those that touch as one."""
    begin, end = None, None
    for first, last in sorted(spans):
        if begin is None or end is None:
            begin, end = first, last
        elif first <= end:
            end = max(end, last)
        else:
            yield begin, end
            begin, end = first, last
    if begin is not None and end is not None:
        yield begin, end


def _since_midnight(clock: str, text: str) -> timedelta:
    hours, minutes = map(int, clock.split(":"))
    since = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or since > DAY:  # noqa: PLR2004 - of an hour
        raise ValueError(f"{text[:80]!r}: {clock} is no time of day, 00:00 to 24:00")
    return since


def _days(text: str | None, window: str) -> frozenset[int]:
    """`Mon-Fri,Sun` → {0, 1, 2, 3, 4, 6}; a range may pass Sunday; nothing: every day."""
    if text is None:
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        names = [name.capitalize() for name in part.split("-")]
        if len(names) > 2 or not set(names) <= set(DAYS):  # noqa: PLR2004  # a day, or a first and a last
            raise ValueError(
                f"{window[:80]!r}: {part[:20]!r} is no day; {', '.join(DAYS)} are, and ranges as in Mon-Fri"
            )
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        days |= {(first + number) % 7 for number in range((last - first) % 7 + 1)}
    return frozenset(days)


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - few scans have a window

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:  # OSError: the name of a folder
        raise ValueError(f"{name!r} is no time zone; names are those of IANA, as in Europe/Berlin") from exc
