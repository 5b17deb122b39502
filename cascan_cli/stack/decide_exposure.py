"""Decisions of people about exposures: acknowledge, accept until a date, take either back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from cascan.exposure.life import accept, acknowledge, reopen
from cascan.exposure_updates.store_moves import announce_moves, change_exposure
from cascan.limits import MAX_EXPOSURE_REASON_CHARS, MAX_LISTED_EXPOSURES
from cascan.model.exposure import Acknowledgement, Exposure, ExposureAcceptance, ExposureState
from cascan.recovery.operator_records import record_exposure
from cascan_cli.errors import BadInput
from cascan_cli.stack.backup import back_up

if TYPE_CHECKING:
    from cascan.gateways import Exposures
    from cascan_cli.stack.open import StackGateways

ACTIONS = ("ack", "accept", "reopen")
MAX_CANDIDATES = 5  # that an error names


class Decision(NamedTuple):
    """`until`: the last day of an acceptance, as its author wrote it."""

    action: str  # of ACTIONS
    by: str  # a principal
    at: datetime
    why: str = ""
    until: str = ""


def find_exposure(table: Exposures, exposure_id: str) -> Exposure:
    """The exposure with this id, or the only one whose id begins with it.

    Raises: BadInput: there is none, or there are several.
    """
    exposure = table.get_exposure(exposure_id)
    if exposure:
        return exposure
    candidates = list(islice(_list_candidates(table, exposure_id), MAX_CANDIDATES + 1)) if exposure_id else []
    if not candidates:
        raise BadInput(f"there is no exposure {exposure_id!r:.60}; `cascan exposure list` shows them")
    if len(candidates) > 1:
        ids = ", ".join(candidate.exposure_id for candidate in candidates[:MAX_CANDIDATES])
        more = " and others" if len(candidates) > MAX_CANDIDATES else ""
        raise BadInput(f"several exposures begin with {exposure_id!r:.60}: {ids}{more}")
    return candidates[0]


def _list_candidates(table: Exposures, beginning: str) -> Iterator[Exposure]:
    """The exposures whose ids begin so, among the MAX_LISTED_EXPOSURES oldest of each state."""
    found: set[str] = set()  # one that changes its state meanwhile is listed twice
    for state in ExposureState:
        for _, exposure in islice(table.list_exposures(state), MAX_LISTED_EXPOSURES):
            if exposure.exposure_id.startswith(beginning) and exposure.exposure_id not in found:
                found.add(exposure.exposure_id)
                yield exposure


def decide_exposure(stack: StackGateways, exposure_id: str, decision: Decision) -> Exposure:
    """Store the decision, announce it and keep a record of it. Returns the exposure afterwards.

    Raises: BadInput: there is no such exposure, the decision is invalid, or changes nothing.
    """
    exposure, by, at, why = find_exposure(stack.table, exposure_id), decision.by, decision.at, decision.why
    if len(why) > MAX_EXPOSURE_REASON_CHARS:
        raise BadInput(f"--why has {len(why)} characters, more than {MAX_EXPOSURE_REASON_CHARS}")
    if decision.action == "ack":
        acknowledgement = Acknowledgement(by=by, at=at, why=why)
        decided = change_exposure(stack.table, exposure, lambda current: acknowledge(current, acknowledgement))
    elif decision.action == "accept":
        acceptance = ExposureAcceptance(by=by, at=at, until=_read_date(decision.until, at), why=why)
        decided = change_exposure(stack.table, exposure, lambda current: accept(current, acceptance))
    else:
        decided = change_exposure(stack.table, exposure, lambda current: reopen(current, by=by, at=at, why=why))
    if decided is exposure:
        raise BadInput(f"exposure {exposure.exposure_id} is {exposure.state.value}: there is nothing to change")
    (announced,) = announce_moves(stack.table, stack.bus, [decided])
    back_up(record_exposure, stack.operator_records, announced)
    return announced


def _read_date(text: str, now: datetime) -> date:
    try:
        until = date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--until: {text!r:.40} is not a date; write 2027-03-31") from None
    if until < now.astimezone(UTC).date():
        raise BadInput(f"--until: {until} has passed")
    return until
