"""Maintenance windows: when a scan may run, and when that changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan.timing.windows import DAYS, Opening, Window, find_open_span, find_opening

NIGHTS = "22:00-06:00 Europe/Berlin"


def at(text: str) -> datetime:
    """An instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opening_at(now: str, *windows: str) -> tuple[bool, str]:
    found = find_opening([Window.parse(window) for window in windows], at(now))
    assert found
    return found.is_open, found.until.strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("now", "windows", "is_open", "until"),
    [
        ("2026-03-02 12:00", ["13:00-14:00"], False, "2026-03-02 13:00"),
        ("2026-03-02 13:00", ["13:00-14:00"], True, "2026-03-02 14:00"),
        ("2026-03-02 14:00", ["13:00-14:00"], False, "2026-03-03 13:00"),  # the end is outside
        ("2026-03-02 23:00", ["22:00-06:00"], True, "2026-03-03 06:00"),
        ("2026-03-03 05:59", ["22:00-06:00"], True, "2026-03-03 06:00"),
        ("2026-03-07 03:00", ["Fri 22:00-06:00"], True, "2026-03-07 06:00"),  # opened on Friday, ends on Saturday
        ("2026-03-08 03:00", ["Fri 22:00-06:00"], False, "2026-03-13 22:00"),
        ("2026-03-02 23:30", ["22:00-24:00"], True, "2026-03-03 00:00"),
        ("2026-03-02 23:30", ["22:00-24:00", "00:00-06:00"], True, "2026-03-03 06:00"),  # they touch: one window
        ("2026-03-07 12:00", ["Mon-Fri 22:00-06:00", "sat,sun 00:00-24:00"], True, "2026-03-09 00:00"),
        ("2026-03-04 12:00", ["Sat-Mon 08:00-09:00"], False, "2026-03-07 08:00"),  # a range may pass Sunday
        ("2026-01-15 21:30", [NIGHTS], True, "2026-01-16 05:00"),  # 22:30 in Berlin
        ("2026-07-15 20:30", [NIGHTS], True, "2026-07-16 04:00"),  # 22:30 again: it is summer
    ],
)
def test_a_window_is_open_from_its_beginning_to_its_end(
    now: str, windows: list[str], is_open: bool, until: str
) -> None:
    assert opening_at(now, *windows) == (is_open, until)


@pytest.mark.parametrize(
    ("now", "window", "is_open", "until"),
    [
        # 2026-03-29: clocks go from 02:00 to 03:00, at 01:00 UTC; 02:30 does not exist
        ("2026-03-29 00:45", "02:30-05:00 Europe/Berlin", False, "2026-03-29 01:30"),
        ("2026-03-29 00:45", "01:00-02:30 Europe/Berlin", False, "2026-03-29 23:00"),  # ended at 00:30, the earlier
        # 2026-10-25: clocks go from 03:00 back to 02:00, at 01:00 UTC; 02:30 comes twice
        ("2026-10-25 00:45", "02:30-05:00 Europe/Berlin", False, "2026-10-25 01:30"),  # opens with the second 02:30
        ("2026-10-25 00:45", "01:00-02:30 Europe/Berlin", False, "2026-10-26 00:00"),  # ended with the first 02:30
    ],
)
def test_where_clocks_change_a_window_is_the_shorter_of_what_it_can_mean(
    now: str, window: str, is_open: bool, until: str
) -> None:
    assert opening_at(now, window) == (is_open, until)


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [  # 02:00 to 03:00 comes twice on 25 October, first in summer time
        ("02:10-02:50 Europe/Berlin", "2026-10-25 00:10", "2026-10-25 00:50"),
        ("02:00-02:59 Europe/Berlin", "2026-10-25 00:00", "2026-10-25 00:59"),
        ("01:10-01:50 America/New_York", "2026-11-01 05:10", "2026-11-01 05:50"),
        ("01:35-01:55 Australia/Lord_Howe", "2026-04-04 14:35", "2026-04-04 14:55"),  # clocks go back by half an hour
    ],
)
def test_a_window_within_the_hour_that_comes_twice_opens_once_the_first_time(window: str, begin: str, end: str) -> None:
    parsed = Window.parse(window)
    day = at(begin).astimezone(parsed.zone).date()
    assert parsed.span(day) == (at(begin), at(end))


def test_a_window_within_the_hour_that_is_skipped_does_not_open_on_that_day() -> None:
    assert Window.parse("02:10-02:50 Europe/Berlin").span(date(2026, 3, 29)) is None


def test_without_windows_a_scan_may_always_run() -> None:
    assert find_opening([], at("2026-03-02 12:00")) is None


def test_a_window_that_never_closes_stays_open() -> None:
    found = find_opening([Window.parse("00:00-24:00")], at("2026-03-02 12:00"))
    assert found
    assert found.is_open
    assert found.until > at("2026-03-09 12:00")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a window: write it as"),
        ("at night", "is not a window: write it as"),
        ("22:00-22:00", "it ends where it begins"),
        ("24:00-06:00", "it ends where it begins"),
        ("22:00-24:30", "24:30 is not a time of day"),
        ("22:61-23:00", "22:61 is not a time of day"),
        ("Mo 22:00-23:00", "'Mo' is not a day; write Mon, Tue"),
        ("Mon-Wed-Fri 22:00-23:00", "'Mon-Wed-Fri' is not a day"),
        ("22:00-23:00 Berlin", "'Berlin' is not a time zone"),
        ("22:00-23:00 Europe", "'Europe' is not a time zone"),
        ("22:00-23:00 ../../etc/passwd", "is not a window"),
    ],
)
def test_an_invalid_window_is_refused_with_the_fix(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Window.parse(text)


INSTANTS = st.integers(0, 365 * 24 * 60).map(lambda minutes: at("2026-01-01") + timedelta(minutes=minutes))
CLOCKS = st.integers(0, 23 * 60 + 59).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
WINDOWS = st.builds(
    lambda day, begin, end, zone: f"{day} {begin}-{end} {zone}",
    st.sampled_from(DAYS),
    CLOCKS,
    CLOCKS,
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]),
).filter(lambda text: text.split()[1].split("-")[0] != text.split()[1].split("-")[1])


@given(st.lists(WINDOWS, min_size=1, max_size=3), INSTANTS)
def test_an_opening_changes_at_the_instant_that_it_names(windows: list[str], now: datetime) -> None:
    parsed = [Window.parse(window) for window in windows]
    found = find_opening(parsed, now)
    assert found
    assert found.until > now
    just_before = find_opening(parsed, found.until - timedelta(microseconds=1))
    then = find_opening(parsed, found.until)
    assert just_before == Opening(is_open=found.is_open, until=found.until)
    assert then
    assert then.is_open is not found.is_open


@pytest.mark.parametrize(
    ("windows", "now", "begin", "end"),
    [
        (["01:30-02:30 Europe/Berlin"], "2026-03-29 00:45", "2026-03-29 00:30", "2026-03-29 01:30"),  # 02:30 is skipped
        (["01:30-02:30 Europe/Berlin"], "2026-10-25 01:15", "2026-10-24 23:30", "2026-10-25 01:30"),  # the second 02:30
        (["Sat,Sun 00:00-24:00 America/Havana"], "2026-11-01 04:30", "2026-10-31 04:00", "2026-11-02 05:00"),
    ],
)
def test_quiet_hours_are_as_wide_as_their_clock_times_can_mean(
    windows: list[str], now: str, begin: str, end: str
) -> None:
    assert find_open_span([Window.parse(text) for text in windows], at(now)) == (at(begin), at(end))
