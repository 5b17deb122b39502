"""A worker's loop: what it takes from its queue it finishes, or gives back."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from cascan.errors import GatewayUnavailable
from cascan.gateways import Received
from cascan.model.shard import Shard, ShardState
from on_shard_queued import drain as drain_module
from on_shard_queued import heartbeat
from on_shard_queued.delivery import Worker
from on_shard_queued.drain import HOLD_S, QUEUE_ERRORS_IN_A_ROW, Drain
from tests.fakes import MemoryReturnedShards
from tests.support.builders import SCAN_ID, a_scan, a_shard, a_table, shard_queued, shard_token
from tests.support.workers import a_program, a_worker

WRITES_A_REPORT = '#!/bin/sh\nwhile [ "$1" != -oX ]; do shift; done\necho "<nmaprun></nmaprun>" > "$2"\n'
ENDS_ITS_WORKER = "#!/bin/sh\nkill -USR1 $PPID\nexec sleep 60\n"
RUNS_UNTIL_HELD = WRITES_A_REPORT.replace("echo", 'until [ -e "${0%/*}/held" ]; do sleep 0.1; done; echo')


class MemoryShardSource:
    """A queue of one worker: what waits, what was deleted, and for how long each message was hidden."""

    def __init__(self, *bodies: str) -> None:
        self.waiting = deque(Received(body, f"receipt {n}", f"message {n}") for n, body in enumerate(bodies))
        self.deleted: list[str] = []
        self.held: list[tuple[str, int]] = []
        self.errors = 0
        self.on_hold: Callable[[], object] = bool

    def receive(self, wait_s: int, hold_s: int) -> Received | None:
        assert wait_s >= 1
        assert hold_s == HOLD_S
        if self.errors:
            self.errors -= 1
            raise GatewayUnavailable("shard queue: no answer")
        return self.waiting.popleft() if self.waiting else None

    def hold(self, received: Received, hold_s: int) -> None:
        self.held.append((received.receipt, hold_s))
        self.on_hold()

    def delete(self, received: Received) -> None:
        self.deleted.append(received.receipt)


def queued(shard: int = 0) -> str:
    return shard_queued(shard).to_wire()


def worker(folder: Path, nmap: str = WRITES_A_REPORT) -> Worker:
    table = a_table(a_scan(shards=2, shards_open=2), a_shard(), a_shard(number=1))
    return a_worker(a_program(folder, nmap), table)


def returned_by(worker: Worker) -> MemoryReturnedShards:
    assert isinstance(worker.returns, MemoryReturnedShards)
    return worker.returns


def stored(worker: Worker, number: int = 0) -> Shard:
    shard = worker.table.get_shard(SCAN_ID, number, token=shard_token(number))
    assert shard
    return shard


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "FIRST_PAUSE_S", 0)


def test_shards_are_run_and_their_messages_deleted_until_the_queue_is_empty(tmp_path: Path) -> None:
    source, it = MemoryShardSource(queued(0), queued(1)), worker(tmp_path)
    Drain(source, it, idle_exit_s=0, shard_timeout_s=20).run()
    assert source.deleted == ["receipt 0", "receipt 1"]
    assert [stored(it, number).state for number in (0, 1)] == [ShardState.REPORTED, ShardState.REPORTED]


POISON = {
    "not a message": "ShardQueued",
    '{"scan_id": 7}': "ShardQueued",
    queued(9): "has no shard 9",
    queued().replace(SCAN_ID, "b" * 16): "there is no scan bbbb",
}


@pytest.mark.parametrize("body", POISON)
def test_a_message_that_no_retry_can_help_is_parked_at_once_with_its_reason(tmp_path: Path, body: str) -> None:
    source, it = MemoryShardSource(body, queued()), worker(tmp_path)
    Drain(source, it, idle_exit_s=0, shard_timeout_s=20).run()
    ((parked, reason),) = returned_by(it).parked
    assert (parked, source.deleted, source.held) == (body, ["receipt 0", "receipt 1"], [])
    assert POISON[body] in reason


def test_a_message_that_could_not_be_parked_is_given_back(tmp_path: Path) -> None:
    source, it = MemoryShardSource("not a message"), worker(tmp_path)
    returned_by(it).down = True
    Drain(source, it, idle_exit_s=0, shard_timeout_s=20).run()
    assert (source.held, source.deleted) == ([("receipt 0", drain_module.RETRY_AFTER_S)], [])


def test_asked_to_stop_while_nmap_runs_the_worker_gives_its_shard_back_at_once(tmp_path: Path) -> None:
    source = MemoryShardSource(queued(0), queued(1))
    it = worker(tmp_path, nmap=ENDS_ITS_WORKER)
    drain = Drain(source, it, idle_exit_s=0, shard_timeout_s=50)
    before = signal.signal(signal.SIGUSR1, drain.stop)
    try:
        drain.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert drain.stopping == "SIGUSR1"
    assert source.deleted == ["receipt 0"]  # after the shard was returned
    (returned,) = returned_by(it).sent
    assert (returned.shard, returned.attempt, returned.failed) == (0, 1, False)
    assert len(source.waiting) == 1  # the next one is not even taken


def test_a_message_that_arrives_with_the_signal_goes_back_at_once(tmp_path: Path) -> None:
    source, it = MemoryShardSource(queued()), worker(tmp_path)
    drain = Drain(source, it, idle_exit_s=0, shard_timeout_s=20)
    drain.stop(signal.SIGTERM, None)
    drain._handle(source.waiting[0])
    assert (source.held, source.deleted) == ([("receipt 0", 0)], [])


def test_while_nmap_lives_its_message_stays_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0)
    source = MemoryShardSource(queued())
    source.on_hold = (tmp_path / "held").touch  # what nmap waits for
    Drain(source, worker(tmp_path, nmap=RUNS_UNTIL_HELD), idle_exit_s=0, shard_timeout_s=60).run()
    assert set(source.held) == {("receipt 0", HOLD_S)}
    assert source.deleted == ["receipt 0"]


def test_a_queue_that_fails_now_and_then_is_asked_again(tmp_path: Path) -> None:
    source = MemoryShardSource(queued())
    source.errors = QUEUE_ERRORS_IN_A_ROW - 1
    Drain(source, worker(tmp_path), idle_exit_s=0, shard_timeout_s=20).run()
    assert source.deleted == ["receipt 0"]


def test_a_queue_that_stays_away_ends_the_worker_with_an_error(tmp_path: Path) -> None:
    source = MemoryShardSource()
    source.errors = 1_000
    with pytest.raises(GatewayUnavailable):
        Drain(source, worker(tmp_path), idle_exit_s=60, shard_timeout_s=20).run()
    assert source.errors == 1_000 - QUEUE_ERRORS_IN_A_ROW
