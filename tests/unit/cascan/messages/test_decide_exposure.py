"""What is said of an exposure next: once, in order, and only to those who want to hear it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cascan.exposure.life import accept, acknowledge, add_looks, pass_time, reopen, start_exposure
from cascan.messages.decide_exposure import Audience, decide_exposure
from cascan.model.exposure import (
    SUPPRESSED_UNTIL,
    Acknowledgement,
    Exposure,
    ExposureAcceptance,
    ExposureSubject,
    JudgedLook,
)
from cascan.model.finding import Severity
from cascan.model.message import CLOSED_STEPS, Statement, Step

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TELNET = ExposureSubject(vantage="internet", address="10.0.0.9", protocol="tcp", port=23, kind="unexpected-open")
EVERYONE = Audience()
KNOWN = Acknowledgement(by="eva", at=NOON, why="ticket 7")
ACCEPTED = ExposureAcceptance(by="eva", at=NOON, until=date(2026, 11, 30), why="replaced soon")


def live(pattern: str, exposure: Exposure | None = None) -> Exposure:
    """The exposure after looks: `+` shows it, `-` does not; one an hour after those that it has."""
    exposure = exposure or start_exposure(TELNET)
    for mark in pattern:
        hour = len(exposure.looks)
        seen_at = max((look.seen_at for look in exposure.looks), default=NOON) + timedelta(hours=1)
        look = JudgedLook(seen_at=seen_at, report_key=f"run {seen_at} {hour}", holds=mark == "+")
        exposure = add_looks(exposure, [look], NOON)
    return exposure


def list_steps(*exposures: Exposure, audience: Audience = EVERYONE, sends_unconfirmed: bool = False) -> list[str]:
    """The steps that are said of an exposure in these states, one after the other."""
    latest: Statement | None = None
    steps = []
    for exposure in exposures:
        statement = decide_exposure(exposure, latest, audience, sends_unconfirmed=sends_unconfirmed)
        if statement:
            steps.append(statement.step.value)
            latest = statement
    return steps


def test_one_look_says_nothing_unless_the_channel_wants_it() -> None:
    assert list_steps(live("+")) == []
    assert list_steps(live("+"), sends_unconfirmed=True) == ["unconfirmed"]


def test_a_thread_is_confirmed_and_resolved_once_however_often_it_is_asked() -> None:
    confirmed, resolved = live("++"), live("++--")
    assert list_steps(live("+"), confirmed, confirmed, live("++-"), resolved, resolved) == ["confirmed", "resolved"]


def test_what_was_said_unconfirmed_is_confirmed_or_withdrawn() -> None:
    assert list_steps(live("+"), live("++"), sends_unconfirmed=True) == ["unconfirmed", "confirmed"]
    assert list_steps(live("+"), live("+-"), sends_unconfirmed=True) == ["unconfirmed", "withdrawn"]


def test_a_change_that_came_and_went_unheard_is_not_said() -> None:
    assert list_steps(live("++--")) == []


def test_a_resolved_exposure_that_is_seen_again_continues_its_thread() -> None:
    assert list_steps(live("++"), live("++--"), live("++--+"), live("++--++")) == ["confirmed", "resolved", "reopened"]


def test_decisions_of_a_person_are_said_in_a_thread_that_has_begun() -> None:
    confirmed = live("++")
    known = acknowledge(confirmed, KNOWN)
    accepted = accept(confirmed, ACCEPTED)
    assert list_steps(known, accepted) == []
    assert list_steps(confirmed, known, accepted) == ["confirmed", "acknowledged", "accepted"]
    assert list_steps(confirmed, known, reopen(known, by="eva", at=NOON, why="")) == [
        "confirmed",
        "acknowledged",
        "reopened",
    ]


def test_the_end_of_an_acceptance_is_said_ahead_once_and_then_the_exposure_is_reopened() -> None:
    confirmed = live("++")
    accepted = accept(confirmed, ACCEPTED)
    soon = pass_time(accepted, NOON + timedelta(days=20))
    over = pass_time(soon, NOON + timedelta(days=40))
    prolonged = accept(soon, replace(ACCEPTED, until=date(2027, 5, 1)))
    assert list_steps(confirmed, accepted, soon, soon, over) == ["confirmed", "accepted", "expiring", "reopened"]
    assert list_steps(confirmed, accepted, soon, prolonged) == ["confirmed", "accepted", "expiring", "accepted"]


def test_another_severity_is_said_of_a_confirmed_exposure() -> None:
    confirmed = live("++")
    worse = replace(confirmed, severity=Severity.HIGH)
    assert list_steps(confirmed, worse, worse) == ["confirmed", "updated"]


def test_a_suppressed_exposure_is_not_spoken_of() -> None:
    suppressed = accept(live("++"), replace(ACCEPTED, until=SUPPRESSED_UNTIL))
    assert list_steps(suppressed) == []


@pytest.mark.parametrize(
    ("audience", "steps"),
    [
        (Audience(severity=Severity.HIGH), []),
        (Audience(severity=Severity.MEDIUM), ["confirmed"]),
        (Audience(owners=("payments",)), ["confirmed"]),
        (Audience(owners=("shop",)), []),
    ],
)
def test_a_thread_begins_for_its_audience_alone(audience: Audience, steps: list[str]) -> None:
    exposure = replace(live("++"), severity=Severity.MEDIUM, owner="payments")
    assert list_steps(exposure, audience=audience) == steps


def test_a_thread_that_has_begun_goes_on_to_its_end_for_a_milder_exposure_too() -> None:
    worse = replace(live("++"), severity=Severity.HIGH)
    milder = replace(live("++--"), severity=Severity.LOW)
    assert list_steps(worse, milder, audience=Audience(severity=Severity.HIGH)) == ["confirmed", "resolved"]


@settings(max_examples=50)
@given(st.lists(st.text("+-", min_size=1, max_size=3), max_size=12), st.booleans())
def test_a_thread_opens_before_it_closes_and_never_says_the_same_twice(
    batches: list[str], sends_unconfirmed: bool
) -> None:
    exposure, states = start_exposure(TELNET), []
    for batch in batches:
        exposure = live(batch, exposure)
        states += [exposure, exposure]
    steps = [Step(step) for step in list_steps(*states, sends_unconfirmed=sends_unconfirmed)]
    closings = [step in CLOSED_STEPS for step in steps]
    assert not steps or not closings[0]
    for earlier, later in pairwise(steps):
        assert earlier is not later
        assert not (earlier in CLOSED_STEPS and later in CLOSED_STEPS)
