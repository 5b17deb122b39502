"""A worker returns a shard: it waits, is queued again, or is given up. The table decides, not the worker's message."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ShardReturned
from cascan.gateways import ScanGateways
from cascan.limits import MAX_STDERR_CHARS
from cascan.model.agenda import Switch
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import Lane, ShardClosing, ShardReturn, ShardState
from on_shard_abandoned.take_back_shard import DELIVERIES_BEFORE_A_DROP, take_back_shard
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, a_table, claim, clock, event_names, shard_token


class Desk:
    """The function, over in-memory gateways and one shard."""

    def __init__(self, table: MemoryScanTable) -> None:
        self.table, self.queues, self.bus = table, MemoryShardQueues(), MemoryEventBus()

    def take_back(self, deliveries: int = 1, **fields: Any) -> str:
        plain: dict[str, Any] = {"scan_id": SCAN_ID, "cause_id": "x", "shard": 0, "token": shard_token()}
        gateways = ScanGateways(self.table, self.queues, self.bus, clock)
        return take_back_shard(ShardReturned(**plain | fields), gateways, deliveries=deliveries).did

    def state(self) -> ShardState:
        return self.table.shards_by_key[SCAN_ID, 0].state

    def tokens_sent(self) -> list[str]:
        return [message.token for message in self.queues.sent[Lane.EXPRESS]]


@pytest.fixture
def desk() -> Desk:
    return Desk(a_table(a_scan(), a_shard()))


@pytest.mark.parametrize("token", ["", "0" * 32, shard_token(1), "ü"])
@pytest.mark.parametrize("attempt", [0, 1])
def test_a_shard_is_not_taken_back_without_its_token(desk: Desk, token: str, attempt: int) -> None:
    held = claim(desk.table)
    with pytest.raises(MalformedMessage, match="without its token"):
        desk.take_back(token=token, attempt=attempt, failed=True)
    assert (desk.table.get_shard(SCAN_ID, 0), desk.tokens_sent()) == (held, [])


def test_an_attempt_that_ended_has_its_shard_queued_again_with_a_message(desk: Desk) -> None:
    claim(desk.table)
    assert desk.take_back(attempt=1) == "queued"
    assert (desk.state(), desk.tokens_sent(), desk.queues.delays_s) == (ShardState.QUEUED, [shard_token()], [0])


def test_a_failure_is_counted_once_and_delays_the_message_however_often_the_shard_is_returned(desk: Desk) -> None:
    claim(desk.table)
    for _ in range(2):  # the first invocation may have ended before it sent the message
        assert desk.take_back(attempt=1, failed=True, error_description="why", stderr="x" * 10_000) == "queued"
    shard = desk.table.shards_by_key[SCAN_ID, 0]
    assert (shard.failures, shard.error_description, len(shard.stderr)) == (1, "why", MAX_STDERR_CHARS)
    assert desk.queues.delays_s == [5, 5]


def test_a_worker_that_was_overtaken_changes_nothing(desk: Desk) -> None:
    claim(desk.table)
    held = claim(desk.table, worker="another")
    assert desk.take_back(attempt=1, failed=True) == "superseded by a later attempt"
    assert (desk.table.get_shard(SCAN_ID, 0), desk.tokens_sent()) == (held, [])


def test_a_message_that_was_not_claimed_does_not_disturb_the_holder(desk: Desk) -> None:
    held = claim(desk.table, worker="another")
    assert desk.take_back() == "another has it"
    assert (desk.table.get_shard(SCAN_ID, 0), desk.tokens_sent()) == (held, [])


@pytest.mark.parametrize("attempt", [0, 1])
def test_while_its_scan_may_not_run_a_shard_waits_whatever_the_worker_says(desk: Desk, attempt: int) -> None:
    if attempt:
        claim(desk.table)
    desk.table.halt(Switch(halted_at=NOW))
    assert desk.take_back(attempt=attempt) == "waits"
    scan = desk.table.scans[SCAN_ID]
    assert (desk.state(), scan.shards_waiting, scan.shards_in_flight) == (ShardState.WAITING, 1, 0)
    assert desk.tokens_sent() == []


def test_while_its_scan_may_run_a_shard_does_not_wait_whatever_the_worker_says(desk: Desk) -> None:
    assert desk.take_back() == "queued"  # as if the scan were held
    assert (desk.state(), desk.tokens_sent()) == (ShardState.QUEUED, [shard_token()])


def test_a_waiting_shard_is_released_if_there_is_a_place() -> None:
    desk = Desk(a_table(a_scan(shards_waiting=1, shards_in_flight=0), a_shard(state=ShardState.WAITING)))
    assert desk.take_back() == "queued"
    assert (desk.state(), desk.tokens_sent()) == (ShardState.QUEUED, [shard_token()])


def test_a_waiting_shard_without_a_place_is_looked_at_again_before_its_message_is_dropped() -> None:
    """Whoever sent its message may be about to release it."""
    scan = a_scan(shards=2, shards_open=2, shards_waiting=1, shards_in_flight=1, parallel=1)
    desk = Desk(a_table(scan, a_shard(state=ShardState.WAITING)))
    for deliveries in range(1, DELIVERIES_BEFORE_A_DROP):
        with pytest.raises(ShardBusy, match="waits"):
            desk.take_back(deliveries)
    assert desk.take_back(DELIVERIES_BEFORE_A_DROP) == "waits"
    assert (desk.state(), desk.tokens_sent()) == (ShardState.WAITING, [])


def test_a_shard_out_of_attempts_is_given_up_and_its_scan_ends() -> None:
    desk = Desk(a_table(a_scan(), a_shard(backoff_limit=0)))
    claim(desk.table)
    assert desk.take_back(attempt=1, failed=True, error_description="nmap was killed") == "given up"
    assert desk.state() is ShardState.FAILED
    assert (desk.table.scans[SCAN_ID].state, event_names(desk.bus)) == (ScanState.ERRORED, ["ScanFailed"])


def test_a_scan_whose_last_shard_was_given_up_is_ended_by_the_repeat(desk: Desk) -> None:
    desk.table.close_shard(SCAN_ID, 0, ShardClosing(state=ShardState.FAILED, outcome=Outcome.FAILED))
    assert desk.take_back(attempt=1, failed=True) == "already failed"
    assert event_names(desk.bus) == ["ScanFailed"]


def test_past_the_deadline_nothing_is_queued(desk: Desk) -> None:
    desk.table.scans[SCAN_ID] = a_scan(deadline_at=NOW)
    claim(desk.table)
    assert desk.take_back(attempt=1) == "scan-deadline"
    assert (desk.state(), desk.tokens_sent()) == (ShardState.QUEUED, [])


def test_a_shard_or_scan_that_does_not_exist_is_malformed(desk: Desk) -> None:
    with pytest.raises(MalformedMessage, match="no shard 9"):
        desk.take_back(shard=9, token=shard_token(9))
    with pytest.raises(MalformedMessage, match="there is no scan"):
        desk.take_back(scan_id="b" * 16)


def test_a_returned_shard_is_not_returned_again_by_a_late_repeat(desk: Desk) -> None:
    claim(desk.table)
    desk.table.return_shard(SCAN_ID, 0, 1, ShardReturn(to=ShardState.QUEUED, failed=False))
    held = claim(desk.table, worker="the next")
    assert desk.take_back(attempt=1, failed=True) == "superseded by a later attempt"
    assert desk.table.get_shard(SCAN_ID, 0) == held
