"""Cron expressions of five fields: what they mean, when they match next, and how EventBridge Scheduler writes them.

As the cron of Kubernetes reads them: minute, hour, day of month, month, day of week; `*`, `?`, lists, ranges, steps,
English names, `@daily` and its like, and `TZ=Europe/Berlin` in front. Where both day fields are restricted a day fits
that fits one of them. A time that clocks skip is passed over, one that they pass twice counts once, the first time:
what EventBridge Scheduler does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from cascan.limits import MAX_TIME_CHARS

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
EXAMPLE = "write it as '30 2 * * 1-5': minute, hour, day of month, month, day of week"
DAYS_AHEAD = 366 * 9  # from one 29 February to the next there may be eight years


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five: what it is called, and what may stand in it."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # the first stands for `low`
    last: int | None = None  # where `5/2` ends, if not at `high`

    def parse(self, text: str) -> frozenset[int]:
        """Raises: ValueError: one sentence."""
        return frozenset(number for part in text.split(",") for number in self._part(part))

    def _part(self, part: str) -> range:
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            low, high = self.low, self.high
        else:
            low = self._number(first)
            end = self.high if self.last is None else max(self.last, low)
            high = self._number(last) if dash else (end if slash else low)  # `5/15` is `5-59/15`
        if high < low:
            raise ValueError(f"{self.name}: the range {part[:40]!r} ends before it begins")
        if slash and (not _is_number(step) or int(step) == 0):
            raise ValueError(f"{self.name}: {part[:40]!r} has no step of 1 or more behind /")
        return range(low, high + 1, int(step) if slash else 1)

    def _number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        if not _is_number(text) or not self.low <= int(text) <= self.high:
            raise ValueError(f"{self.name}: {text[:40]!r} is not between {self.low} and {self.high}")
        return int(text)


MINUTE, HOUR = Field("minute", 0, 59), Field("hour", 0, 23)
DAY, MONTH = Field("day of month", 1, 31), Field("month", 1, 12, MONTHS)
WEEKDAY = Field("day of week", 0, 7, WEEKDAYS, last=6)  # 0 and 7 are Sunday
STARS = {"*", "?", "*/1", "?/1"}  # of a list of days one is enough


@dataclass(frozen=True, slots=True)
class Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    any_day: bool  # the day of month stands as * or ?
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Raises: ValueError: one sentence, with the fix."""
        if len(text) > MAX_TIME_CHARS:
            raise ValueError(f"{len(text)} characters are more than {MAX_TIME_CHARS}")
        fields = MACROS.get(text.strip().lower(), text).split()
        if len(fields) != 5:  # noqa: PLR2004  # it is in the name
            named = f"; of the names there are {', '.join(MACROS)} and @every" if text.startswith("@") else ""
            raise ValueError(f"{text[:80]!r} has {len(fields)} fields: {EXAMPLE}{named}")
        minutes, hours, days, months = (
            field.parse(part) for field, part in zip((MINUTE, HOUR, DAY, MONTH), fields[:4], strict=True)
        )
        weekdays = frozenset(number % 7 for number in WEEKDAY.parse(fields[4]))
        any_day, any_weekday = (bool(STARS & set(field.split(","))) for field in (fields[2], fields[4]))
        cron = cls(minutes, hours, days, months, weekdays, any_day, any_weekday)
        if next(cron.times_after(datetime(2026, 1, 1, tzinfo=UTC), UTC), None) is None:
            raise ValueError(f"{text[:80]!r} never comes: there is no such day")
        return cron

    def times_after(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Every time after `moment`, in UTC and in order; the fields are wall clock times in `zone`."""
        first = moment.astimezone(zone).date()
        times = [time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]
        for number in range(DAYS_AHEAD):
            day = first + timedelta(days=number)
            if day.month not in self.months or not self._fits(day.day, day.isoweekday() % 7):
                continue
            for at in times:
                wall = datetime.combine(day, at)
                instant = wall.replace(tzinfo=zone).astimezone(UTC)
                exists = instant.astimezone(zone).replace(tzinfo=None) == wall
                if exists and instant > moment:
                    yield instant

    def _fits(self, day: int, weekday: int) -> bool:
        fits = (day in self.days, weekday in self.weekdays)
        return all(fits) if self.any_day or self.any_weekday else any(fits)

    def to_scheduler_expressions(self) -> tuple[str, ...]:
        """In the language of EventBridge Scheduler, where one of the day fields is `?`: two where both are restricted.

        Sunday is 1 there. Source: EventBridge Scheduler user guide, cron-based schedules.
        """
        clock = f"{_text(self.minutes, MINUTE)} {_text(self.hours, HOUR)}"
        month = _text(self.months, MONTH)
        weekdays = _text(frozenset(number + 1 for number in self.weekdays), Field("", 1, 7))
        by_day = f"cron({clock} {_text(self.days, DAY)} {month} ? *)"
        by_weekday = f"cron({clock} ? {month} {weekdays} *)"
        if self.any_weekday:
            return (by_day,)
        return (by_weekday,) if self.any_day else (by_day, by_weekday)


def split_zone(text: str) -> tuple[str, str]:
    """`TZ=Europe/Berlin 0 5 * * *` → zone and the rest; the zone is empty where none stands in front."""
    first, _, rest = text.strip().partition(" ")
    for prefix in ("CRON_TZ=", "TZ="):
        if first.startswith(prefix):
            return first.removeprefix(prefix), rest.strip()
    return "", text.strip()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4  # noqa: PLR2004  # none of the fields has longer ones


def _text(numbers: frozenset[int], field: Field) -> str:
    if len(numbers) == field.high - field.low + 1:
        return "*"
    return ",".join(map(str, sorted(numbers)))
