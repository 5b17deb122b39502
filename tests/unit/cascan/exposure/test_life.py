"""The life of an exposure: looks in any order, decisions of people, and time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cascan.exposure.life import (
    accept,
    acknowledge,
    add_looks,
    apply_rule,
    merge_looks,
    next_due,
    pass_time,
    reopen,
    start_exposure,
    weigh,
)
from cascan.limits import MAX_LOOKS_PER_EXPOSURE
from cascan.model.exposure import (
    SUPPRESSED_UNTIL,
    Acknowledgement,
    Exposure,
    ExposureAcceptance,
    ExposureKind,
    ExposureState,
    ExposureSubject,
    JudgedLook,
    MoveKind,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TELNET = ExposureSubject(vantage="internet", address="10.0.0.9", protocol="tcp", port=23, kind="unexpected-open")
OPEN, CONFIRMED, RESOLVED = ExposureState.OPEN, ExposureState.CONFIRMED, ExposureState.RESOLVED
ACKNOWLEDGED, ACCEPTED = ExposureState.ACKNOWLEDGED, ExposureState.ACCEPTED


def look(hour: int, *, holds: bool, run: str = "") -> JudgedLook:
    return JudgedLook(seen_at=NOON + timedelta(hours=hour), report_key=run or f"run-{hour}", holds=holds, scan_id="s")


def list_looks(pattern: str) -> list[JudgedLook]:
    """`+` shows it, `-` does not; one an hour."""
    return [look(hour, holds=mark == "+") for hour, mark in enumerate(pattern)]


def live(pattern: str, exposure: Exposure | None = None) -> Exposure:
    exposure = exposure or start_exposure(TELNET)
    for each in list_looks(pattern):
        exposure = add_looks(exposure, [each], NOON)
    return exposure


def list_moves(exposure: Exposure) -> list[str]:
    return [move.kind.value.removeprefix("Exposure") for move in exposure.pending]


@pytest.mark.parametrize(
    ("pattern", "state", "moves"),
    [
        ("-", RESOLVED, []),
        ("+", OPEN, ["Opened"]),
        ("++", CONFIRMED, ["Opened", "Confirmed"]),
        ("+++", CONFIRMED, ["Opened", "Confirmed"]),
        ("+-", RESOLVED, ["Opened", "Withdrawn"]),
        ("+-+", OPEN, ["Opened", "Withdrawn", "Reopened"]),
        ("++-", CONFIRMED, ["Opened", "Confirmed"]),  # one packet may be lost
        ("++-+", CONFIRMED, ["Opened", "Confirmed"]),
        ("++--", RESOLVED, ["Opened", "Confirmed", "Resolved"]),
        ("++--+", OPEN, ["Opened", "Confirmed", "Resolved", "Reopened"]),
        ("++--+-", RESOLVED, ["Opened", "Confirmed", "Resolved", "Reopened", "Withdrawn"]),
        ("++--++", CONFIRMED, ["Opened", "Confirmed", "Resolved", "Reopened", "Confirmed"]),
        ("++--++--", RESOLVED, ["Opened", "Confirmed", "Resolved", "Reopened", "Confirmed", "Resolved"]),
        ("--", RESOLVED, []),
    ],
)
def test_two_looks_in_a_row_confirm_and_resolve(pattern: str, state: ExposureState, moves: list[str]) -> None:
    exposure = live(pattern)
    assert exposure.state is state
    assert list_moves(exposure) == moves


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[JudgedLook], list[JudgedLook]]:
    """Looks in the order of their time, and as they are delivered: shuffled, some more than once."""
    marks = draw(st.lists(st.sampled_from("+-"), min_size=1, max_size=MAX_LOOKS_PER_EXPOSURE + 4))
    looks = list_looks("".join(marks))
    repeats = draw(st.lists(st.sampled_from(looks), max_size=5))
    return looks, draw(st.permutations(looks + repeats))


@settings(max_examples=400, deadline=None)
@given(deliveries())
def test_the_same_looks_give_the_same_state_in_every_order_and_no_move_twice(
    both: tuple[list[JudgedLook], list[JudgedLook]],
) -> None:
    in_order, delivered = both
    expected, exposure = add_looks(start_exposure(TELNET), in_order, NOON), start_exposure(TELNET)
    for each in delivered:
        exposure = add_looks(exposure, [each], NOON)
    assert exposure.looks == expected.looks
    assert (exposure.state, exposure.first_seen, exposure.last_seen) == (
        expected.state,
        expected.first_seen,
        expected.last_seen,
    )
    moves = [(move.kind, move.episode) for move in exposure.pending]
    assert len(moves) == len(set(moves))
    assert [kind for kind, _ in moves].count(MoveKind.OPENED) <= 1
    if exposure.is_active:
        assert moves[0] == (MoveKind.OPENED, 1)


def test_every_pattern_of_looks_ends_as_its_looks_one_by_one() -> None:
    for marks in product("+-", repeat=MAX_LOOKS_PER_EXPOSURE):
        pattern = "".join(marks)
        at_once = add_looks(start_exposure(TELNET), list_looks(pattern), NOON)
        assert live(pattern).state is at_once.state, pattern


def test_a_repeated_look_changes_nothing() -> None:
    exposure = live("++")
    assert add_looks(exposure, list_looks("++"), NOON) is exposure


def test_two_looks_of_one_run_are_one() -> None:
    looks = [look(0, holds=True, run="run"), look(1, holds=True, run="run")]
    exposure = add_looks(start_exposure(TELNET), looks, NOON)
    assert exposure.state is OPEN
    assert len(exposure.looks) == 1


def test_a_late_look_that_disagrees_takes_back_a_confirmation_without_an_event() -> None:
    exposure = start_exposure(TELNET)
    for each in (look(0, holds=True), look(2, holds=True), look(1, holds=False)):
        exposure = add_looks(exposure, [each], NOON)
    assert exposure.state is OPEN
    again = add_looks(exposure, [look(3, holds=True)], NOON)
    assert again.state is CONFIRMED
    assert list_moves(again) == ["Opened", "Confirmed"]


def test_a_port_that_answers_every_other_time_is_confirmed_in_the_end() -> None:
    assert live("+-" * (MAX_LOOKS_PER_EXPOSURE // 2)).state is CONFIRMED


def test_a_look_that_is_judged_again_counts_as_it_is_judged_last() -> None:
    exposure = live("++")
    judged_again = [look(0, holds=False), look(1, holds=False)]
    assert add_looks(exposure, judged_again, NOON).state is RESOLVED


def test_what_is_judged_anew_replaces_every_earlier_judgement() -> None:
    exposure = live("+++")
    anew = add_looks(exposure, [look(2, holds=False)], NOON, is_judged_anew=True)
    assert (anew.state, len(anew.looks)) == (RESOLVED, 1)
    assert add_looks(exposure, [], NOON, is_judged_anew=True) is exposure


def test_only_the_newest_looks_are_kept() -> None:
    looks = list_looks("+" * (MAX_LOOKS_PER_EXPOSURE + 3))
    assert merge_looks(looks) == tuple(looks[3:])
    assert live("+" * (MAX_LOOKS_PER_EXPOSURE + 3)).first_seen == NOON


def test_no_looks_say_nothing() -> None:
    assert not weigh(()).holds


def test_an_untested_port_counts_at_once_in_both_directions() -> None:
    exposure = live("+", start_exposure(replace(TELNET, kind=ExposureKind.UNTESTED)))
    assert exposure.state is CONFIRMED
    assert add_looks(exposure, [look(1, holds=False)], NOON).state is RESOLVED


# ---- decisions of people


KNOWN = Acknowledgement(by="ann", at=NOON, why="ticket 7")


def an_acceptance(until: date = date(2026, 12, 31)) -> ExposureAcceptance:
    return ExposureAcceptance(by="ann", at=NOON, until=until, why="moves in January")


def test_an_acknowledgement_lasts_until_the_exposure_is_resolved() -> None:
    exposure = acknowledge(live("++"), KNOWN)
    assert exposure.state is ACKNOWLEDGED
    assert exposure.pending[-1].by == "ann"
    exposure = add_looks(exposure, [look(5, holds=True)], NOON)
    assert exposure.state is ACKNOWLEDGED
    exposure = add_looks(exposure, [look(6, holds=False), look(7, holds=False)], NOON)
    assert exposure.state is RESOLVED
    exposure = add_looks(exposure, [look(8, holds=True)], NOON)
    assert exposure.state is OPEN


def test_the_same_acknowledgement_is_one() -> None:
    exposure = acknowledge(live("++"), KNOWN)
    assert acknowledge(exposure, KNOWN) is exposure


def test_a_resolved_exposure_is_not_acknowledged() -> None:
    exposure = live("++--")
    assert acknowledge(exposure, KNOWN) is exposure


def test_an_acceptance_outlasts_a_pause_and_ends_with_its_date() -> None:
    exposure = accept(live("++"), an_acceptance())
    assert exposure.state is ACCEPTED
    exposure = add_looks(exposure, [look(5, holds=False), look(6, holds=False)], NOON)
    assert exposure.state is RESOLVED
    exposure = add_looks(exposure, [look(7, holds=True)], NOON)
    assert exposure.state is ACCEPTED

    on_the_last_day = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert pass_time(exposure, on_the_last_day).state is ACCEPTED
    ended = pass_time(exposure, on_the_last_day + timedelta(minutes=1))
    assert ended.state is OPEN
    assert list_moves(ended)[-1] == "Reopened"
    assert pass_time(ended, on_the_last_day + timedelta(days=9)) is ended


def test_an_acceptance_that_is_over_does_not_cover_a_new_opening() -> None:
    exposure = accept(live("++--"), an_acceptance())
    after = datetime(2027, 1, 1, tzinfo=UTC)
    assert add_looks(exposure, [look(9, holds=True)], after).state is OPEN


def test_an_acceptance_is_announced_once_a_fortnight_before_its_end() -> None:
    exposure = accept(live("++"), an_acceptance())
    early, soon = datetime(2026, 12, 16, 23, tzinfo=UTC), datetime(2026, 12, 17, tzinfo=UTC)
    assert pass_time(exposure, early) is exposure
    warned = pass_time(exposure, soon)
    assert list_moves(warned)[-1] == "Expiring"
    assert warned.state is ACCEPTED
    assert pass_time(warned, soon + timedelta(days=1)) is warned
    longer = accept(warned, an_acceptance(date(2027, 6, 30)))
    assert list_moves(pass_time(longer, datetime(2027, 6, 20, tzinfo=UTC)))[-1] == "Expiring"


def test_the_time_of_the_next_change_is_known() -> None:
    exposure = accept(live("++"), an_acceptance())
    assert next_due(exposure) == datetime(2026, 12, 17, tzinfo=UTC)
    warned = pass_time(exposure, datetime(2026, 12, 17, tzinfo=UTC))
    assert next_due(warned) == datetime(2027, 1, 1, tzinfo=UTC)
    assert next_due(live("++")) is None


def test_a_person_takes_decisions_back() -> None:
    exposure = accept(acknowledge(live("++"), KNOWN), an_acceptance())
    reopened = reopen(exposure, by="bob", at=NOON, why="not agreed")
    assert reopened.state is CONFIRMED
    assert (reopened.pending[-1].kind, reopened.pending[-1].by) == (MoveKind.REOPENED, "bob")
    assert reopen(reopened, by="bob", at=NOON, why="again") is reopened


def test_a_severity_rule_accepts_until_it_is_removed() -> None:
    by_rule = replace(an_acceptance(SUPPRESSED_UNTIL), rule="printers", by="rule printers")
    exposure = apply_rule(live("++"), by_rule)
    assert exposure.state is ACCEPTED
    assert next_due(exposure) is None
    assert apply_rule(exposure, replace(by_rule, at=NOON + timedelta(days=1))) is exposure
    assert apply_rule(exposure, None).state is CONFIRMED


def test_a_rule_does_not_replace_the_acceptance_of_a_person() -> None:
    exposure = accept(live("++"), an_acceptance())
    by_rule = replace(an_acceptance(SUPPRESSED_UNTIL), rule="printers")
    assert apply_rule(exposure, by_rule) is exposure
    assert apply_rule(exposure, None) is exposure


def test_the_id_does_not_depend_on_a_scan() -> None:
    assert live("+").exposure_id == live("++--+").exposure_id == start_exposure(TELNET).exposure_id
    assert start_exposure(replace(TELNET, vantage="office")).exposure_id != start_exposure(TELNET).exposure_id
