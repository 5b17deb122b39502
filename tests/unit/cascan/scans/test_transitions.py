"""Whether a scan's shards may run: what suspending, halting, deadlines and windows say together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cascan.model.scan import FINAL_STATES, ScanBrief, ScanState
from cascan.model.shard import OPEN_STATES, ShardState
from cascan.scans import transitions as life_cycle
from cascan.scans.transitions import RunPermission, StopReason, run_permission

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)


def standing(**fields: Any) -> RunPermission:
    return run_permission(ScanBrief(**{"state": ScanState.SCANNING} | fields), NOON)


def test_a_scan_under_way_may_run_for_as_long_as_it_takes() -> None:
    assert standing() == RunPermission(None, None, StopReason.SCAN_DEADLINE)


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_scan_that_is_over_does_not_run_whatever_else_is_said_of_it(state: ScanState) -> None:
    assert standing(state=state, halted=True, windows=("01:00-02:00",)).blocked_by is StopReason.OVER


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"halted": True}, StopReason.HALTED),
        ({"state": ScanState.SUSPENDED}, StopReason.SUSPENDED),
        ({"windows": ("22:00-06:00",)}, StopReason.WINDOW),
        ({"windows": ("Sat,Sun 00:00-24:00",)}, StopReason.WINDOW),
    ],
)
def test_a_scan_that_is_held_says_by_what(fields: dict[str, Any], why: StopReason) -> None:
    assert standing(**fields).blocked_by is why
    assert why in life_cycle.HOLD_REASONS


@pytest.mark.parametrize(
    ("fields", "until", "ends"),
    [
        ({"deadline_at": NOON + HOUR}, NOON + HOUR, StopReason.SCAN_DEADLINE),
        ({"windows": ("10:00-15:00",)}, NOON + 3 * HOUR, StopReason.WINDOW),
        ({"windows": ("10:00-15:00",), "deadline_at": NOON + HOUR}, NOON + HOUR, StopReason.SCAN_DEADLINE),
        ({"windows": ("10:00-15:00",), "deadline_at": NOON + 4 * HOUR}, NOON + 3 * HOUR, StopReason.WINDOW),
    ],
)
def test_what_comes_first_ends_it(fields: dict[str, Any], until: datetime, ends: StopReason) -> None:
    assert standing(**fields) == RunPermission(None, until, ends)


@pytest.mark.parametrize(
    "else_",
    [
        {},
        {"windows": ("22:00-06:00",)},
        {"windows": ("10:00-15:00",)},
        {"halted": True},
        {"state": ScanState.SUSPENDED},
    ],
)
def test_a_scan_past_its_deadline_is_over_and_not_held(else_: dict[str, Any]) -> None:
    assert standing(deadline_at=NOON, **else_) == RunPermission(StopReason.SCAN_DEADLINE)
    assert StopReason.SCAN_DEADLINE not in life_cycle.HOLD_REASONS


def test_every_state_can_be_reached_and_a_closed_shard_never_moves_again() -> None:
    reached = {state for move in life_cycle.MOVES for state in move.to}
    left = {state for move in life_cycle.MOVES for state in move.expected}
    assert reached == set(ShardState)
    assert left == OPEN_STATES
