"""The next message about an exposure, from its state and its last message. A pure function.

The events of its moves only wake this up. So a move that is announced twice, late, or together with
others leads to no second message, and moves that follow each other at once become one message.

    no message yet, one look         unconfirmed, if the channel wants it and it is time
    no message yet, two looks        confirmed
    unconfirmed                      confirmed, or withdrawn
    confirmed                        updated (severity), acknowledged, accepted, resolved
    acknowledged, accepted           expiring, reopened, resolved
    resolved, withdrawn              reopened

A thread begins only where the exposure is severe enough for the channel and belongs to one of its
owners. A thread that has begun is continued to its end.
"""

from __future__ import annotations

import msgspec

from cascan.exposure_updates.apply_severity_rules import is_suppressed
from cascan.model.exposure import Exposure, ExposureState, MoveKind
from cascan.model.finding import Severity
from cascan.model.message import CLOSED_STEPS, Statement, Step

RANKS = {severity: rank for rank, severity in enumerate(Severity)}  # the most severe has the highest
DECIDED_STEPS = frozenset({Step.ACKNOWLEDGED, Step.ACCEPTED, Step.EXPIRING})
DECIDED_STATES = frozenset({ExposureState.ACKNOWLEDGED, ExposureState.ACCEPTED})


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Which exposures a channel gets messages about."""

    severity: Severity = Severity.INFORMATIONAL  # this one and more severe ones
    owners: tuple[str, ...] = ()  # empty: every owner, and none

    def includes(self, severity: Severity, owner: str) -> bool:
        return RANKS[severity] >= RANKS[self.severity] and (not self.owners or owner in self.owners)


def decide_exposure(
    exposure: Exposure, latest: Statement | None, audience: Audience, *, sends_unconfirmed: bool
) -> Statement | None:
    """The statement of the next message. None: there is nothing new.

    `latest`: the statement of the last message. `sends_unconfirmed`: one look is enough.
    """
    if exposure.is_new or is_suppressed(exposure):
        return None
    if latest is None or latest.step in CLOSED_STEPS:
        step = _begin(exposure, latest, audience, sends_unconfirmed=sends_unconfirmed)
    else:
        step = _continue(exposure, latest)
    return _state(exposure, step) if step else None


def _begin(exposure: Exposure, latest: Statement | None, audience: Audience, *, sends_unconfirmed: bool) -> Step | None:
    if not audience.includes(exposure.severity, exposure.owner):
        return None
    if exposure.state is ExposureState.CONFIRMED:
        return Step.REOPENED if latest else Step.CONFIRMED
    if exposure.state is ExposureState.OPEN and sends_unconfirmed:
        return Step.UNCONFIRMED
    return None  # it is decided already, or not confirmed yet


def _continue(exposure: Exposure, latest: Statement) -> Step | None:
    if exposure.state is ExposureState.RESOLVED:
        is_withdrawn = latest.step is Step.UNCONFIRMED and MoveKind.CONFIRMED not in exposure.announced
        return Step.WITHDRAWN if is_withdrawn else Step.RESOLVED
    if exposure.state in DECIDED_STATES:
        return _find_decision(exposure, latest)
    if latest.step in DECIDED_STEPS:
        return Step.REOPENED
    if exposure.state is ExposureState.OPEN:
        return None  # a late look took the confirmation back; another one will bring it again
    if latest.step is Step.UNCONFIRMED:
        return Step.CONFIRMED
    return Step.UPDATED if latest.severity is not exposure.severity else None


def _find_decision(exposure: Exposure, latest: Statement) -> Step | None:
    """The step for what a person or a rule decided. None: the last message has it already."""
    acceptance = exposure.acceptance
    if exposure.state is ExposureState.ACKNOWLEDGED or acceptance is None:
        return None if latest.step is Step.ACKNOWLEDGED else Step.ACKNOWLEDGED
    is_known = latest.step in (Step.ACCEPTED, Step.EXPIRING) and latest.detail == acceptance.until.isoformat()
    if not is_known:
        return Step.ACCEPTED
    is_warned = exposure.warned_of == acceptance.until
    return Step.EXPIRING if is_warned and latest.step is Step.ACCEPTED else None


def _state(exposure: Exposure, step: Step) -> Statement:
    is_accepted = step in (Step.ACCEPTED, Step.EXPIRING) and exposure.acceptance is not None
    detail = exposure.acceptance.until.isoformat() if is_accepted and exposure.acceptance else ""
    return Statement(step=step, episode=exposure.episode, severity=exposure.severity, detail=detail)
