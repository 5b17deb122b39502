"""The life of an exposure: looks, decisions of people, and time. Every function is pure.

    a look shows it                                  open
    two looks in a row show it                       confirmed
    a look before that does not                      resolved, announced as withdrawn
    two looks in a row do not, after it was confirmed
                                                     resolved
    a person knows of it                             acknowledged, until it is resolved
    a person or a severity rule accepts it           accepted, until the end of the acceptance
    a look shows it again; its acceptance ends       reopened

Looks may come in any order, and repeatedly. The state depends on the set of the newest
MAX_LOOKS_PER_EXPOSURE looks and on the decisions, never on the order in which the looks came. Two
looks count as two only if they are of different runs.

A look that does not cover the port is not given to these functions: it neither shows the exposure
nor resolves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from cascan.ids import derive_exposure_id
from cascan.limits import EXPECTATION_EXPIRY_WARNING_DAYS, MAX_LOOKS_PER_EXPOSURE
from cascan.model.exposure import (
    SUPPRESSED_UNTIL,
    Acknowledgement,
    Exposure,
    ExposureAcceptance,
    ExposureKind,
    ExposureMove,
    ExposureState,
    ExposureSubject,
    JudgedLook,
    MoveKind,
)

WARNING_TIME = timedelta(days=EXPECTATION_EXPIRY_WARNING_DAYS)


class Evidence(NamedTuple):
    """What the looks say together."""

    holds: bool
    is_confirmed: bool


def start_exposure(subject: ExposureSubject) -> Exposure:
    """An exposure that no look has shown yet."""
    exposure_id = derive_exposure_id(subject.vantage, subject.address, subject.protocol, subject.port, subject.kind)
    return Exposure(exposure_id=exposure_id, subject=subject)


def add_looks(
    exposure: Exposure, looks: Iterable[JudgedLook], at: datetime, *, is_judged_anew: bool = False
) -> Exposure:
    """The exposure after the looks, with the moves that they make.

    The exposure is returned unchanged if the looks are known already. `at`: now, with which the end
    of an acceptance is compared. `is_judged_anew`: what is expected has changed, so that earlier
    judgements do not count; without looks they do.
    """
    judged = tuple(looks)
    every_look = judged if is_judged_anew and judged else (*exposure.looks, *judged)
    merged = merge_looks(every_look)
    shown_at = [look.seen_at for look in every_look if look.holds]
    first = min([*shown_at, *filter(None, [exposure.first_seen])], default=None)
    last = max([*shown_at, *filter(None, [exposure.last_seen])], default=None)
    if (merged, first, last) == (exposure.looks, exposure.first_seen, exposure.last_seen):
        return exposure
    return _settle(replace(exposure, looks=merged, first_seen=first, last_seen=last), at)


def acknowledge(exposure: Exposure, acknowledgement: Acknowledgement) -> Exposure:
    """The exposure that a person knows of. It is unchanged if it is not active."""
    if not exposure.is_active or exposure.acknowledgement == acknowledgement:
        return exposure
    at = acknowledgement.at
    decided = _set_state(replace(exposure, acknowledgement=acknowledgement), at)
    return _add_move(decided, MoveKind.ACKNOWLEDGED, at, by=acknowledgement.by, why=acknowledgement.why)


def accept(exposure: Exposure, acceptance: ExposureAcceptance) -> Exposure:
    """The exposure that is accepted until a date. It stays accepted while looks show it or do not."""
    if exposure.is_new or exposure.acceptance == acceptance:
        return exposure
    decided = _set_state(replace(exposure, acceptance=acceptance, warned_of=None), acceptance.at)
    return _add_move(
        decided,
        MoveKind.ACCEPTED,
        acceptance.at,
        by=acceptance.by,
        why=acceptance.why,
        until=acceptance.until,
    )


def reopen(exposure: Exposure, *, by: str, at: datetime, why: str) -> Exposure:
    """The exposure without acknowledgement and acceptance; unchanged if it has neither."""
    if exposure.acknowledgement is None and exposure.acceptance is None:
        return exposure
    undecided = replace(exposure, acknowledgement=None, acceptance=None, warned_of=None)
    reopened = _set_state(undecided, at)
    return _add_move(reopened, MoveKind.REOPENED, at, by=by, why=why) if reopened.is_active else reopened


def apply_rule(exposure: Exposure, rule: ExposureAcceptance | None) -> Exposure:
    """The exposure as the severity rules accept it now; None: no rule does.

    A person's acceptance is never replaced by that of a rule.
    """
    current = exposure.acceptance
    if current and not current.rule:
        return exposure
    if rule is None:
        if current is None:
            return exposure
        return _set_state(replace(exposure, acceptance=None), exposure.changed_at or current.at)
    if current and (current.rule, current.until, current.why) == (rule.rule, rule.until, rule.why):
        return exposure
    return accept(exposure, rule)


def pass_time(exposure: Exposure, now: datetime) -> Exposure:
    """The exposure at the time: an acceptance that is over ends, and one that ends soon is announced."""
    acceptance = exposure.acceptance
    if acceptance is None:
        return exposure
    if now.date() > acceptance.until:
        why = f"accepted until {acceptance.until}, which has passed"
        ended = _set_state(replace(exposure, acceptance=None, warned_of=None), now)
        if not ended.is_active:
            return ended
        return _add_move(ended, MoveKind.REOPENED, now, why=why, until=acceptance.until)
    is_soon = acceptance.until - now.date() <= WARNING_TIME
    if not is_soon or exposure.warned_of == acceptance.until or not exposure.is_active:
        return exposure
    warned = replace(exposure, warned_of=acceptance.until)
    why = f"the acceptance ends after {acceptance.until}"
    return _add_move(warned, MoveKind.EXPIRING, now, why=why, until=acceptance.until)


def next_due(exposure: Exposure) -> datetime | None:
    """When `pass_time` next changes the exposure; None: never."""
    acceptance = exposure.acceptance
    if acceptance is None or acceptance.until == SUPPRESSED_UNTIL:
        return None
    midnight = datetime.combine(acceptance.until, time(), UTC)
    if exposure.is_active and exposure.warned_of != acceptance.until:
        return midnight - WARNING_TIME
    return midnight + timedelta(days=1)


def merge_looks(looks: Iterable[JudgedLook]) -> tuple[JudgedLook, ...]:
    """The newest MAX_LOOKS_PER_EXPOSURE looks, one for each run, the oldest first.

    Of two looks of one run the later counts; of the same time the one that is judged last.
    """
    by_run: dict[str, JudgedLook] = {}
    for look in looks:
        known = by_run.get(look.report_key)
        if known is None or look.seen_at >= known.seen_at:
            by_run[look.report_key] = look
    return tuple(sorted(by_run.values(), key=lambda look: look.order)[-MAX_LOOKS_PER_EXPOSURE:])


def weigh(looks: tuple[JudgedLook, ...], *, counts_at_once: bool = False) -> Evidence:
    """What the looks say, which are in order. `counts_at_once`: the newest needs no second one.

    The newest two in a row that agree decide. Before they are reached, a single look opens an
    exposure that was resolved, and never resolves one that was confirmed.
    """
    if not looks:
        return Evidence(holds=False, is_confirmed=False)
    newest = looks[-1].holds
    if counts_at_once:
        return Evidence(holds=newest, is_confirmed=newest)
    for earlier, later in zip(looks[-2::-1], looks[:0:-1], strict=True):
        if earlier.holds == later.holds:
            return Evidence(holds=later.holds or newest, is_confirmed=later.holds)
    # No two agree. Half of so many looks show it, which is enough.
    is_confirmed = len(looks) >= MAX_LOOKS_PER_EXPOSURE
    return Evidence(holds=newest or is_confirmed, is_confirmed=is_confirmed)


def _settle(exposure: Exposure, now: datetime) -> Exposure:
    """The state and the moves that follow from the looks."""
    newest = exposure.looks[-1]
    evidence = _weigh(exposure)
    at = newest.seen_at
    if not evidence.holds:
        if not exposure.is_active:
            return exposure
        was_confirmed = MoveKind.CONFIRMED in exposure.announced
        resolved = _set_state(replace(exposure, acknowledgement=None), at)
        return _add_look_move(resolved, MoveKind.RESOLVED if was_confirmed else MoveKind.WITHDRAWN, newest)
    if exposure.is_active:
        moved = _set_state(exposure, at)
    else:
        kind = MoveKind.OPENED if exposure.is_new else MoveKind.REOPENED
        acceptance = exposure.acceptance
        is_over = acceptance is not None and now.date() > acceptance.until
        begun = replace(
            exposure, episode=exposure.episode + 1, announced=(), acceptance=None if is_over else acceptance
        )
        moved = _add_look_move(_set_state(begun, at), kind, newest)
    is_announced = MoveKind.CONFIRMED in moved.announced
    return moved if is_announced or not evidence.is_confirmed else _add_look_move(moved, MoveKind.CONFIRMED, newest)


def _weigh(exposure: Exposure) -> Evidence:
    return weigh(exposure.looks, counts_at_once=exposure.subject.kind == ExposureKind.UNTESTED)


def _set_state(exposure: Exposure, at: datetime) -> Exposure:
    """The exposure in the state that its looks and its decisions give."""
    state = _find_state(exposure)
    return exposure if state is exposure.state else replace(exposure, state=state, changed_at=at)


def _find_state(exposure: Exposure) -> ExposureState:
    evidence = _weigh(exposure)
    if not evidence.holds:
        return ExposureState.RESOLVED
    if exposure.acceptance:
        return ExposureState.ACCEPTED
    if exposure.acknowledgement:
        return ExposureState.ACKNOWLEDGED
    return ExposureState.CONFIRMED if evidence.is_confirmed else ExposureState.OPEN


def _add_look_move(exposure: Exposure, kind: MoveKind, look: JudgedLook) -> Exposure:
    return _add_move(exposure, kind, look.seen_at, scan_id=look.scan_id, report_key=look.report_key)


def _add_move(
    exposure: Exposure,
    kind: MoveKind,
    at: datetime,
    *,
    by: str = "",
    why: str = "",
    until: date | None = None,
    scan_id: str = "",
    report_key: str = "",
) -> Exposure:
    move = ExposureMove(
        kind=kind,
        at=at,
        episode=exposure.episode,
        state=exposure.state,
        by=by,
        why=why,
        until=until,
        scan_id=scan_id,
        report_key=report_key,
    )
    announced = exposure.announced if kind in exposure.announced else (*exposure.announced, kind)
    return replace(exposure, pending=(*exposure.pending, move), announced=announced)
