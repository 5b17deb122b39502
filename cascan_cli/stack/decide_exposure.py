"""Decisions of people about exposures: acknowledge, accept until a date, take either back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from cascan.exposure.life import accept, acknowledge, reopen
from cascan.exposure_updates.store_moves import announce_moves, change_exposure
from cascan.limits import MAX_EXPOSURE_REASON_CHARS
from cascan.model.exposure import Acknowledgement, Exposure, ExposureAcceptance
from cascan.recovery.operator_records import record_exposure
from cascan_cli.errors import BadInput
from cascan_cli.stack.backup import back_up

if TYPE_CHECKING:
    from cascan.gateways import Exposures
    from cascan_cli.stack.open import StackGateways

ACTIONS = ("ack", "accept", "reopen")


class Decision(NamedTuple):
    """`until`: the last day of an acceptance, as its author wrote it."""

    action: str  # of ACTIONS
    by: str  # a principal
    at: datetime
    why: str = ""
    until: str = ""


def find_exposure(table: Exposures, exposure_id: str) -> Exposure:
    """Raises: BadInput: there is none."""
    exposure = table.get_exposure(exposure_id)
    if exposure is None:
        raise BadInput(f"there is no exposure {exposure_id!r:.60}; `cascan exposure list` shows them")
    return exposure


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
        raise BadInput(f"exposure {exposure_id} is {exposure.state.value}: there is nothing to change")
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
