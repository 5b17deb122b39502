"""Times and durations on the command line. A date means its end."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from cascan_cli.errors import BadInput

DATE = re.compile(r"\d{4}-\d\d-\d\d")
DURATION = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
FORMS = "a date such as 2026-03-03, a time such as 2026-03-03T12:00 or 2026-03-03T12:00Z, or now"
INSTANT, MILLISECOND, SECOND = timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(seconds=1)


def parse_moment(text: str, zone: tzinfo = UTC, name: str = "DATE") -> datetime:
    """The moment in UTC. Of a date, it is the last one of its day in the zone.

    `name`: of the argument, for the error. Raises: BadInput.
    """
    if text == "now":
        return datetime.now(UTC)
    try:
        if DATE.fullmatch(text):
            following = date.fromisoformat(text) + timedelta(days=1)
            return datetime.combine(following, time.min, zone).astimezone(UTC) - INSTANT
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise BadInput(f"{name} {text!r}: must be {FORMS}") from exc


def parse_look_moment(text: str, zone: tzinfo = UTC, name: str = "DATE") -> datetime:
    """Parse a time that looks are compared with.

    Times of looks are shown in whole seconds or milliseconds. So a time that is written like this
    includes the rest of its second or millisecond.

    Raises: BadInput: as `parse_moment`.
    """
    moment = parse_moment(text, zone, name)
    for digits in (SECOND, MILLISECOND):
        if not moment.microsecond % (digits // INSTANT):
            return moment + (digits - INSTANT)
    return moment


def parse_zone(name: str) -> tzinfo:
    """Raises: BadInput: there is no such zone."""
    if name.upper() == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # few commands name a zone

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise BadInput(f"--tz {name!r}: there is no such zone; give a name such as Europe/Berlin") from exc


def parse_duration(text: str, option: str) -> timedelta:
    """`36h`, `30d`. Raises: BadInput."""
    match = DURATION.fullmatch(text)
    if not match:
        raise BadInput(f"{option} {text!r}: must be a number with m, h, d or w, such as 36h or 30d")
    return timedelta(**{UNITS[match["unit"]]: int(match["number"])})


def parse_since(text: str | None, option: str = "--since") -> datetime | None:
    """A moment, or a duration before now. None stays None. Raises: BadInput."""
    if text is None:
        return None
    if DURATION.fullmatch(text):
        return datetime.now(UTC) - parse_duration(text, option)
    return parse_moment(text, name=option)
