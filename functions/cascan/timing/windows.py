"""Maintenance windows: the hours in which a scan may send packets.

The format is `[DAYS] HH:MM-HH:MM [ZONE]`: `22:00-06:00`, `Mon-Fri 22:00-06:00 Europe/Berlin`,
`Sat,Sun 00:00-24:00`.

- The days are those on which the window opens. Without days it opens every day.
- A window whose end is not after its beginning ends on the next day.
- The zone is UTC if none is given.
- When daylight saving makes a time ambiguous, the window is the shorter of the possible ones.
  A window inside the repeated hour opens once, the first time. Quiet hours are the longer ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import msgspec

from cascan.limits import MAX_WINDOW_CHARS
from cascan.patterns import compile_pattern

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    Span = tuple[datetime, datetime]  # beginning and end, in UTC

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HORIZON = timedelta(days=9)  # a week and a day at each end: every window opens again within it
DAY = timedelta(days=1)
WINDOW_PATTERN = (
    r"(?:(?P<days>[A-Za-z,-]+)\s+)?(?P<begin>\d{1,2}:\d\d)\s*-\s*(?P<end>\d{1,2}:\d\d)"
    r"(?:\s+(?P<zone>[A-Za-z0-9_+/-]+))?"
)
FORMAT = "write it as 'Mon-Fri 22:00-06:00 Europe/Berlin': days and zone may be left out"


class Window(msgspec.Struct, frozen=True):
    days: frozenset[int]  # 0 is Monday
    begin: timedelta  # since midnight
    end: timedelta  # since the same midnight, beyond `begin`
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> Window:
        """A window as an operator writes it. Raises: ValueError: one sentence, with the fix."""
        match = compile_pattern(WINDOW_PATTERN).fullmatch(text.strip()) if len(text) <= MAX_WINDOW_CHARS else None
        if not match:
            raise ValueError(f"{text[:80]!r} is not a window: {FORMAT}")
        begin, end = (_parse_clock(match[name], text) for name in ("begin", "end"))
        if begin in (end, DAY):
            raise ValueError(f"{text[:80]!r} is not a window: it ends where it begins")
        days, zone = _parse_days(match["days"], text), _load_zone(match["zone"] or "UTC")
        return cls(days, begin, end if end > begin else end + DAY, zone)

    def span(self, day: date) -> Span | None:
        """Beginning and end, in UTC, of the window that opens on `day`.

        None: no window opens then.
        """
        if day.weekday() not in self.days:
            return None
        begins, ends = self._instants(day, self.begin), self._instants(day, self.end)
        begin, end = max(begins), min(ends)
        if begin < end:
            return begin, end
        is_in_repeated_hour = begins[0] < begins[1] and ends[0] < ends[1]  # skipped: reversed
        return (begins[0], ends[0]) if is_in_repeated_hour else None

    def widest_span(self, day: date) -> Span | None:
        """As `span`, but where daylight saving changes, all that the clock times can mean belongs to it."""
        if day.weekday() not in self.days:
            return None
        return min(self._instants(day, self.begin)), max(self._instants(day, self.end))

    def _instants(self, day: date, since_midnight: timedelta) -> tuple[datetime, datetime]:
        """Both instants that a wall clock time can mean; they differ if daylight saving changes."""
        wall = datetime.combine(day, time()) + since_midnight
        early, late = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return early, late


class Opening(msgspec.Struct, frozen=True):
    """Whether a scan may run, and until when that is so."""

    is_open: bool
    until: datetime


def find_opening(windows: Sequence[Window], now: datetime) -> Opening | None:
    """Whether any of the windows is open at `now`.

    None: there are no windows, and the scan may always run.
    """
    if not windows:
        return None
    for begin, end in _merge_spans(_find_spans(windows, now)):
        if now < begin:
            return Opening(is_open=False, until=begin)
        if now < end:
            return Opening(is_open=True, until=end)
    # Daylight saving skips the only window: check again then.
    return Opening(is_open=False, until=now + HORIZON)


def find_open_span(windows: Sequence[Window], now: datetime) -> Span | None:
    """Beginning and end of the time in which one window after the other is open, as far as HORIZON.

    Where daylight saving changes, the windows are as wide as their clock times can mean.
    None: none is open at `now`.
    """
    spans = _merge_spans(_find_spans(windows, now, Window.widest_span))
    return next(((begin, end) for begin, end in spans if begin <= now < end), None)


def find_longest_span(windows: Sequence[Window], now: datetime) -> timedelta:
    """How long windows are open at a stretch, in the days after `now`."""
    return max((end - begin for begin, end in _merge_spans(_find_spans(windows, now))), default=timedelta())


def _find_spans(
    windows: Iterable[Window], now: datetime, find_span: Callable[[Window, date], Span | None] = Window.span
) -> Iterator[Span]:
    first_day = (now - 2 * DAY).date()
    for window in windows:
        for number in range(HORIZON.days + 2):
            span = find_span(window, first_day + number * DAY)
            if span:
                yield span


def _merge_spans(spans: Iterable[Span]) -> Iterator[Span]:
    """The spans in order. Spans that overlap or touch become one."""
    merged: Span | None = None
    for begin, end in sorted(spans):
        if merged is None:
            merged = begin, end
        elif begin <= merged[1]:
            merged = merged[0], max(merged[1], end)
        else:
            yield merged
            merged = begin, end
    if merged is not None:
        yield merged


def _parse_clock(clock: str, text: str) -> timedelta:
    """`22:30` → the time since midnight."""
    hours, minutes = map(int, clock.split(":"))
    since_midnight = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or since_midnight > DAY:  # noqa: PLR2004 - of an hour
        raise ValueError(f"{text[:80]!r}: {clock} is not a time of day, 00:00 to 24:00")
    return since_midnight


def _parse_days(text: str | None, window: str) -> frozenset[int]:
    """`Mon-Fri,Sun` → {0, 1, 2, 3, 4, 6}.

    A range may include the end of the week. None: every day.
    """
    if text is None:
        return frozenset(range(7))
    days: set[int] = set()
    for entry in text.split(","):
        names = [name.capitalize() for name in entry.split("-")]
        if len(names) > 2 or not set(names) <= set(DAYS):  # noqa: PLR2004  # a range
            raise ValueError(
                f"{window[:80]!r}: {entry[:20]!r} is not a day; write {', '.join(DAYS)}, or a range such as Mon-Fri"
            )
        begin, end = DAYS.index(names[0]), DAYS.index(names[-1])
        length = (end - begin) % 7 + 1
        days |= {(begin + number) % 7 for number in range(length)}
    return frozenset(days)


def _load_zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - few scans have a window

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:  # OSError: the name of a folder
        raise ValueError(f"{name!r} is not a time zone; use a name of IANA such as Europe/Berlin") from exc
