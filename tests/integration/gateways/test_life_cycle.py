"""A shard moves as transitions.py says, whatever is asked of it in whatever state. On the fake and on DynamoDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from cascan.gateways import ScanTable
from cascan.model.scan import Outcome
from cascan.model.shard import (
    Lane,
    NmapRun,
    ProposedCut,
    Shard,
    ShardClosing,
    ShardCut,
    ShardReturn,
    ShardState,
    TargetSlice,
)
from cascan.scans import transitions as life_cycle
from tests.integration.gateways.examples import AT, SCAN_ID, a_scan, a_shard

HALF = (TargetSlice("10.0.0.0/24", 0, 128),)
PROPOSED = ProposedCut(remaining=HALF, lane=Lane.RAW)
LATER = AT + timedelta(hours=1)


def a_cut(to: ShardState) -> ShardCut:
    return ShardCut(run=NmapRun(), done=HALF, remaining=HALF, lane=Lane.RAW, to=to)


def a_claim(message_id: str, now: Any) -> dict[str, Any]:
    return {"worker": "task/2", "message_id": message_id, "lease_until": LATER, "now": now}


Call = Callable[[ScanTable], object]
CALLS: dict[str, tuple[str, Call]] = {  # what is called: the method, and the call
    "release": ("release_shard", lambda table: table.release_shard(SCAN_ID, 0)),
    "hold": ("hold_shard", lambda table: table.hold_shard(SCAN_ID, 0)),
    "claim a duplicate": ("claim_shard", lambda table: table.claim_shard(SCAN_ID, 0, **a_claim("other", AT))),
    "claim again": ("claim_shard", lambda table: table.claim_shard(SCAN_ID, 0, **a_claim("own", AT))),
    "claim late": ("claim_shard", lambda table: table.claim_shard(SCAN_ID, 0, **a_claim("other", LATER))),
    "beat": ("beat", lambda table: table.beat(SCAN_ID, 0, 1, lease_until=LATER)),
    "report": ("report_shard", lambda table: table.report_shard(SCAN_ID, 0, 1, NmapRun())),
    "cut": ("cut_shard", lambda table: table.cut_shard(SCAN_ID, 0, 1, a_cut(ShardState.QUEUED))),
    "return": (
        "return_shard",
        lambda table: table.return_shard(SCAN_ID, 0, 1, ShardReturn(to=ShardState.QUEUED, failed=True)),
    ),
    "return to wait": (
        "return_shard",
        lambda table: table.return_shard(SCAN_ID, 0, 1, ShardReturn(to=ShardState.WAITING, failed=False)),
    ),
} | {
    f"close as {state}": (
        "close_shard",
        lambda table, state=state: table.close_shard(SCAN_ID, 0, ShardClosing(state=state, outcome=Outcome.PARTIAL)),
    )
    for state in sorted(life_cycle.CLOSE.to)
}


def close_together(state: ShardState, table: ScanTable) -> int:
    closing = ShardClosing(state=state, outcome=Outcome.PARTIAL)
    return table.close_shards(SCAN_ID, list(table.shards(SCAN_ID)), closing)


CALLS |= {
    f"close together as {state}": ("close_shard", partial(close_together, state))
    for state in sorted(life_cycle.CLOSE.to)
}
ALLOWED = {(move.name, expected, to) for move in life_cycle.MOVES for expected in move.expected for to in move.to}


@pytest.mark.parametrize("state", ShardState)
@pytest.mark.parametrize("call", CALLS)
def test_a_shard_actions_only_as_the_life_cycle_says(table: ScanTable, call: str, state: ShardState) -> None:
    method, do = CALLS[call]
    lease = AT + timedelta(minutes=1)
    before = a_shard(state=state, attempt=1, message_id="own", lease_until=lease, run=NmapRun(), cut=PROPOSED)
    waiting = int(state is ShardState.WAITING)
    table.create_scan(a_scan(shards=1, shards_open=1, shards_waiting=waiting, shards_in_flight=1 - waiting))
    table.add_shards([before])
    done = do(table)
    after = _shard(table)
    moved = (method, state, after.state) in ALLOWED
    assert moved or after == before
    assert moved or not done  # and whoever asked is told so
    _assert_counted(table)


@pytest.mark.parametrize("move", life_cycle.MOVES, ids=lambda move: f"{move.name} from {min(move.expected)}")
def test_every_move_that_the_life_cycle_names_can_be_made(table: ScanTable, move: life_cycle.Move) -> None:
    made = set()
    for expected in sorted(move.expected):
        for number, (_, do) in enumerate((m, d) for m, d in CALLS.values() if m == move.name):
            fresh = _fresh(table, expected, f"{move.name} {number} {expected}")
            do(_Redirected(table, fresh))  # the same calls, of another scan
            shard = table.get_shard(fresh, 0)
            assert shard is not None
            made.add((expected, shard.state))
    assert {(expected, to) for expected, to in made if expected in move.expected and to in move.to} != set()
    assert {to for _, to in made} >= set(move.to)


class _Redirected:
    """The table, asked of another scan."""

    def __init__(self, table: ScanTable, scan_id: str) -> None:
        self._table, self._scan_id = table, scan_id

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda _scan_id, *args, **kwargs: getattr(self._table, name)(self._scan_id, *args, **kwargs)


def _fresh(table: ScanTable, state: ShardState, key: str) -> str:
    scan = a_scan(key, shards=1, shards_open=1)
    table.create_scan(scan)
    lease = AT + timedelta(minutes=1)
    held: dict[str, Any] = {"attempt": 1, "message_id": "own", "lease_until": lease, "cut": PROPOSED}
    table.add_shards([a_shard(scan_id=scan.scan_id, state=state, **held)])
    return scan.scan_id


def _shard(table: ScanTable) -> Shard:
    shard = table.get_shard(SCAN_ID, 0)
    assert shard is not None
    return shard


def _assert_counted(table: ScanTable) -> None:
    """The scan's counters are what a recount of its shards gives."""
    scan = table.get_scan(SCAN_ID)
    assert scan is not None
    states = [shard.state for shard in table.shards(SCAN_ID)]
    closed = [state for state in states if state in life_cycle.CLOSE.to]
    if len(states) == 1 and closed and scan.shards_open == 1:
        return  # it was stored closed: nobody counted it
    waiting = states.count(ShardState.WAITING)
    assert scan.shards == len(states)
    assert scan.shards_waiting == waiting
    assert scan.shards_in_flight == len(states) - waiting - len(closed)
    assert scan.shards_open == scan.shards_waiting + scan.shards_in_flight
