"""Cron: what five fields mean, when they match where clocks change, and how EventBridge Scheduler writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from cascan.timing.cron import Cron, split_zone

BERLIN = ZoneInfo("Europe/Berlin")  # forward on 29 March 2026 at 02:00, back on 25 October 2026 at 03:00


def times(text: str, after: str, zone: ZoneInfo | None = None, most: int = 3) -> list[str]:
    found = Cron.parse(text).times_after(datetime.fromisoformat(after), zone or UTC)
    return [f"{at:%Y-%m-%dT%H:%MZ}" for at in islice(found, most)]


def test_times_come_in_order_and_after_the_moment_never_at_it() -> None:
    assert times("0,30 2 * * *", "2026-03-01T02:00Z") == ["2026-03-01T02:30Z", "2026-03-02T02:00Z", "2026-03-02T02:30Z"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/20 * * * *", ["2026-03-01T12:20Z", "2026-03-01T12:40Z", "2026-03-01T13:00Z"]),
        ("5/25 * * * *", ["2026-03-01T12:05Z", "2026-03-01T12:30Z", "2026-03-01T12:55Z"]),
        ("0 4 * * 7", ["2026-03-08T04:00Z", "2026-03-15T04:00Z", "2026-03-22T04:00Z"]),
        ("0 4 * * SUN", ["2026-03-08T04:00Z"]),
        ("0 0 29 2 *", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]),
        ("@weekly", ["2026-03-08T00:00Z", "2026-03-15T00:00Z"]),
        ("0 4 * * 1/2", ["2026-03-02T04:00Z", "2026-03-04T04:00Z", "2026-03-06T04:00Z", "2026-03-09T04:00Z"]),
        ("0 4 * * fri-7", ["2026-03-06T04:00Z", "2026-03-07T04:00Z", "2026-03-08T04:00Z", "2026-03-13T04:00Z"]),
        ("0 4 *,9 * 1", ["2026-03-02T04:00Z", "2026-03-09T04:00Z", "2026-03-16T04:00Z"]),
        ("0 0 31 jan,mar *", ["2026-03-31T00:00Z", "2027-01-31T00:00Z"]),
    ],
)
def test_fields_mean_what_the_cron_of_kubernetes_means(text: str, expected: list[str]) -> None:
    assert times(text, "2026-03-01T12:00Z", most=len(expected)) == expected


def test_a_day_fits_either_restricted_day_field_but_both_where_one_is_a_star() -> None:
    assert times("0 0 13 * 5", "2026-03-01T00:00Z", most=4) == [
        "2026-03-06T00:00Z",
        "2026-03-13T00:00Z",  # once, although it fits both
        "2026-03-20T00:00Z",
        "2026-03-27T00:00Z",
    ]
    assert times("0 0 * * 5", "2026-03-01T00:00Z", most=2) == ["2026-03-06T00:00Z", "2026-03-13T00:00Z"]


def test_wall_clock_times_move_against_utc_when_clocks_change() -> None:
    assert times("30 6 * * *", "2026-03-28T00:00Z", BERLIN, 2) == ["2026-03-28T05:30Z", "2026-03-29T04:30Z"]


def test_a_time_that_clocks_skip_is_passed_over() -> None:
    assert times("30 2 * * *", "2026-03-28T00:00Z", BERLIN) == [
        "2026-03-28T01:30Z",
        "2026-03-30T00:30Z",
        "2026-03-31T00:30Z",
    ]


def test_a_time_that_clocks_pass_twice_counts_once_and_the_first_time() -> None:
    assert times("30 2 * * *", "2026-10-24T12:00Z", BERLIN, 2) == ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]
    assert times("30 2 * * *", "2026-10-25T00:30Z", BERLIN, 1) == ["2026-10-26T01:30Z"]


def test_days_are_those_of_the_zone() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    assert times("0 3 * * 1", "2026-03-01T12:00Z", tokyo, 1) == ["2026-03-01T18:00Z"]  # Monday there


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("30 2 * * *", ["cron(30 2 * * ? *)"]),
        ("30 2 * * 0", ["cron(30 2 ? * 1 *)"]),
        ("30 2 * * 7", ["cron(30 2 ? * 1 *)"]),
        ("0 */6 1,15 * *", ["cron(0 0,6,12,18 1,15 * ? *)"]),
        ("* * * jan-mar mon-fri", ["cron(* * ? 1,2,3 2,3,4,5,6 *)"]),
        ("0 0 13 * 5", ["cron(0 0 13 * ? *)", "cron(0 0 ? * 6 *)"]),
        ("0 0 ? * 5", ["cron(0 0 ? * 6 *)"]),
        ("@hourly", ["cron(0 * * * ? *)"]),
    ],
)
def test_scheduler_expressions_mean_the_same_with_sunday_as_1_and_one_day_field_open(
    text: str, expressions: list[str]
) -> None:
    assert list(Cron.parse(text).to_scheduler_expressions()) == expressions


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("30 2 * *", "4 fields"),
        ("60 2 * * *", "minute: '60' is not between 0 and 59"),
        ("0 2 0 * *", "day of month: '0' is not between 1 and 31"),
        ("0 2 * * 8", "day of week: '8'"),
        ("0 2 * foo *", "month: 'foo'"),
        ("*/0 * * * *", "no step"),
        ("5-1 * * * *", "ends before it begins"),
        ("0 4 * * sat-sun", "ends before it begins"),  # Sunday is 0
        ("0 0 31 2 *", "never comes"),
        ("@every 1h", "2 fields"),  # the form of a schedule reads it as an interval
        ("٣ * * * *", "minute: '٣'"),
    ],
)
def test_an_invalid_cron_expression_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        Cron.parse(text)


def test_a_zone_may_come_first() -> None:
    assert split_zone("TZ=Europe/Berlin 0 5 * * *") == ("Europe/Berlin", "0 5 * * *")
    assert split_zone("CRON_TZ=UTC @daily") == ("UTC", "@daily")
    assert split_zone(" 0 5 * * * ") == ("", "0 5 * * *")
