"""Cron expressions of five fields: parsing, next times, and the form of EventBridge Scheduler.

The syntax is that of Kubernetes: minute, hour, day of month, month, day of week; `*`, `?`, lists,
ranges, steps, English names, `@daily` and similar macros, and a prefix `TZ=Europe/Berlin`. If both
day fields are restricted, a day matches that matches one of them. A time that daylight saving skips
does not match; a time that it repeats matches once, the first time. EventBridge Scheduler does the
same.
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
SEARCHED_DAYS = 366 * 9  # two 29 February can be eight years apart


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields: its name and its values."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # the first one means `low`
    step_end: int | None = None  # the end of `5/2`, if not `high`

    def parse(self, text: str) -> frozenset[int]:
        """The numbers of a list such as `1-5,*/15`. Raises: ValueError: one sentence."""
        return frozenset(number for entry in text.split(",") for number in self._parse_entry(entry))

    def _parse_entry(self, entry: str) -> range:
        span, slash, step = entry.partition("/")
        low, high = self._parse_span(span, has_step=bool(slash))
        if high < low:
            raise ValueError(f"{self.name}: the range {entry[:40]!r} ends before it begins")
        if slash and (not _is_number(step) or int(step) == 0):
            raise ValueError(f"{self.name}: {entry[:40]!r} has no step of 1 or more after the /")
        return range(low, high + 1, int(step) if slash else 1)

    def _parse_span(self, span: str, *, has_step: bool) -> tuple[int, int]:
        """`*`, `5` or `1-5` as lowest and highest number.

        With a step `5` has no end: `5/15` is `5-59/15`.
        """
        if span in ("*", "?"):
            return self.low, self.high
        low_text, dash, high_text = span.partition("-")
        low = self._parse_number(low_text)
        if dash:
            return low, self._parse_number(high_text)
        if not has_step:
            return low, low
        return low, self.high if self.step_end is None else max(self.step_end, low)

    def _parse_number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        if not _is_number(text) or not self.low <= int(text) <= self.high:
            raise ValueError(f"{self.name}: {text[:40]!r} is not between {self.low} and {self.high}")
        return int(text)


MINUTE, HOUR = Field("minute", 0, 59), Field("hour", 0, 23)
DAY, MONTH = Field("day of month", 1, 31), Field("month", 1, 12, MONTHS)
WEEKDAY = Field("day of week", 0, 7, WEEKDAYS, step_end=6)  # 0 and 7 are Sunday
FIELD_COUNT = 5
MAX_DIGITS = 4  # no field has longer numbers
STARS = {"*", "?", "*/1", "?/1"}  # one of these in a list of days means every day


@dataclass(frozen=True, slots=True)
class Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    any_day: bool  # the day of month is * or ?
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """An expression of five fields, or a macro.

        Raises: ValueError: one sentence, with the fix.
        """
        if len(text) > MAX_TIME_CHARS:
            raise ValueError(f"{len(text)} characters are more than {MAX_TIME_CHARS}")
        fields = MACROS.get(text.strip().lower(), text).split()
        if len(fields) != FIELD_COUNT:
            macros = f"; the macros are {', '.join(MACROS)} and @every" if text.startswith("@") else ""
            raise ValueError(f"{text[:80]!r} has {len(fields)} fields: {EXAMPLE}{macros}")
        minute, hour, day, month, weekday = fields
        cron = cls(
            minutes=MINUTE.parse(minute),
            hours=HOUR.parse(hour),
            days=DAY.parse(day),
            months=MONTH.parse(month),
            weekdays=frozenset(number % 7 for number in WEEKDAY.parse(weekday)),
            any_day=_is_any(day),
            any_weekday=_is_any(weekday),
        )
        if next(cron.times_after(datetime(2026, 1, 1, tzinfo=UTC), UTC), None) is None:
            raise ValueError(f"{text[:80]!r} never comes: there is no such day")
        return cron

    def times_after(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Every time after `moment`, in UTC and in order. The fields are local times in `zone`."""
        first_day = moment.astimezone(zone).date()
        times = [time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]
        for number in range(SEARCHED_DAYS):
            day = first_day + timedelta(days=number)
            if day.month not in self.months or not self._matches_day(day.day, day.isoweekday() % 7):
                continue
            for wall_time in times:
                wall = datetime.combine(day, wall_time)
                instant = wall.replace(tzinfo=zone).astimezone(UTC)
                exists = instant.astimezone(zone).replace(tzinfo=None) == wall
                if exists and instant > moment:
                    yield instant

    def _matches_day(self, day: int, weekday: int) -> bool:
        matches = (day in self.days, weekday in self.weekdays)
        return all(matches) if self.any_day or self.any_weekday else any(matches)

    def to_scheduler_expressions(self) -> tuple[str, ...]:
        """The same times for EventBridge Scheduler: two expressions if both day fields are restricted.

        One of the day fields has to be `?` there, and Sunday is 1.
        Source: EventBridge Scheduler user guide, cron-based schedules.
        """
        clock = f"{_format(self.minutes, MINUTE)} {_format(self.hours, HOUR)}"
        month = _format(self.months, MONTH)
        weekdays = _format(frozenset(number + 1 for number in self.weekdays), Field("", 1, 7))
        by_day = f"cron({clock} {_format(self.days, DAY)} {month} ? *)"
        by_weekday = f"cron({clock} ? {month} {weekdays} *)"
        if self.any_weekday:
            return (by_day,)
        return (by_weekday,) if self.any_day else (by_day, by_weekday)


def split_zone(text: str) -> tuple[str, str]:
    """`TZ=Europe/Berlin 0 5 * * *` → zone and expression.

    The zone is empty if the text has none.
    """
    zone, _, expression = text.strip().partition(" ")
    for prefix in ("CRON_TZ=", "TZ="):
        if zone.startswith(prefix):
            return zone.removeprefix(prefix), expression.strip()
    return "", text.strip()


def _is_any(field: str) -> bool:
    return not STARS.isdisjoint(field.split(","))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def _format(numbers: frozenset[int], field: Field) -> str:
    if len(numbers) == field.high - field.low + 1:
        return "*"
    return ",".join(map(str, sorted(numbers)))
