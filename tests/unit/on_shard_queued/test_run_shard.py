"""A shard message becomes a report in the bucket, a smaller shard, or a fresh message. Scripts stand in for nmap."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cascan.errors import GatewayUnavailable, MalformedMessage, ShardLost
from cascan.gateways import ScanGateways
from cascan.model.agenda import Switch
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import Lane, Shard, ShardClosing, ShardState, TargetSlice
from cascan.nmap.command import build_nmap_command
from cascan.scans.transitions import StopReason
from on_report_stored.cut_reported_shard import send_remainder
from on_shard_queued import heartbeat
from on_shard_queued.delivery import Worker
from on_shard_queued.nmap_process import NmapResult, OnTick
from on_shard_queued.run_shard import ShardRun, run_shard
from tests.data.reports import report
from tests.fakes import FixedResolver, MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, a_table, claim, shard_queued
from tests.support.workers import a_delivery, a_program, a_worker, cut_reported, take_back_all

WRITES_A_REPORT = """#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -oX) report=$2;; -iL) targets=$2;; esac; shift; done
{ echo '<nmaprun>'; cat "$targets"; echo '</nmaprun>'; } > "$report"
"""
BLOCK = TargetSlice("127.0.0.0/28", 0, 16)
HEAD, HOST = report("killed").split(b"<host ", 1)[0], b"<host " + report("killed").split(b"<host ")[1]
Nmap = Callable[[Sequence[str], OnTick], NmapResult]  # the addresses, and the ticks


def some_hosts(addresses: Sequence[str]) -> bytes:
    """A report of nmap's that broke off after these hosts, in the middle of another."""
    return HEAD + b"".join(HOST.replace(b"127.0.0.1", a.encode()) for a in addresses) + HOST[:200]


@dataclass
class Bench:
    """A worker over in-memory gateways, its clock, and one shard."""

    worker: Worker
    table: MemoryScanTable
    reports: MemoryReportStore
    queues: MemoryShardQueues  # to which the functions send
    now: datetime = NOW
    taken_back: list[str] = field(default_factory=list)  # after the last run

    def run(self, message_id: str = "a message", shard: int = 0, **delivery: object) -> ShardRun:
        run = run_shard(shard_queued(shard), a_delivery(message_id, **delivery), worker=self.worker)
        self.taken_back = self.take_back()
        cut_reported(SCAN_ID, shard, self.gateways)
        return run

    def take_back(self) -> list[str]:
        """What became of the shards that the worker returned."""
        return [taken.did for taken in take_back_all(self.worker, self.gateways)]

    @property
    def gateways(self) -> ScanGateways:
        return ScanGateways(self.table, self.queues, MemoryEventBus(), lambda: self.now)

    def nmap(self, does: Nmap) -> None:
        """Let `does` stand in for nmap, in this process."""

        def run(argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick) -> NmapResult:
            self.limit_s = deadline_s
            addresses = (folder / "targets").read_text().split()
            self.report = report
            return does(addresses, on_tick)

        self.worker = replace(self.worker, run=run)

    def ends(self, ended: NmapResult, *finished: str) -> None:
        """nmap ends like this, after these hosts."""

        def does(addresses: Sequence[str], on_tick: OnTick) -> NmapResult:
            self.report.write_bytes(some_hosts(finished))
            return ended

        self.nmap(does)

    def stopped(self, *finished: str) -> None:
        """nmap has finished these hosts when a heartbeat is due; it is stopped if that says so."""

        def does(addresses: Sequence[str], on_tick: OnTick) -> NmapResult:
            self.report.write_bytes(some_hosts(finished))
            self.now += timedelta(seconds=heartbeat.HEARTBEAT_S)
            return NmapResult(-15, on_tick())

        self.nmap(does)

    def shard(self, number: int = 0) -> Shard:
        return self.table.shards_by_key[SCAN_ID, number]

    def counts(self) -> tuple[int, int, int, int]:
        """Shards, open, waiting, in flight."""
        scan = self.table.scans[SCAN_ID]
        return scan.shards, scan.shards_open, scan.shards_waiting, scan.shards_in_flight


def bench(folder: Path, script: str = WRITES_A_REPORT, **fields: object) -> Bench:
    table, queues = a_table(a_scan(), a_shard(**fields)), MemoryShardQueues()
    reports, resolver = MemoryReportStore(), FixedResolver({"localhost": ["127.0.0.1"]})
    worker = a_worker(a_program(folder, script), table, reports=reports, resolver=resolver)
    it = Bench(worker, table, reports, queues)
    it.worker = replace(worker, clock=lambda: it.now)
    return it


@pytest.fixture
def it(tmp_path: Path) -> Bench:
    return bench(tmp_path)


@pytest.fixture
def block(tmp_path: Path) -> Bench:
    """A shard of 16 addresses, in the raw lane."""
    return bench(tmp_path, slices=(BLOCK,), addresses=16, lane=Lane.RAW)


class TestReporting:
    def test_a_shard_is_claimed_run_and_its_report_stored_under_its_attempt(self, tmp_path: Path) -> None:
        it = bench(tmp_path, attempt=1)
        assert it.run().did == "reported"
        assert it.reports.objects == {f"reports/{SCAN_ID}/000000/2.xml": b"<nmaprun>\n127.0.0.1\n</nmaprun>\n"}
        shard = it.shard()
        assert (shard.state, shard.attempt, shard.worker) == (ShardState.REPORTED, 2, "test")
        assert shard.run
        assert (shard.run.attempt, shard.run.exit_code, shard.run.addresses, shard.run.cut) == (2, 0, 1, False)

    def test_what_the_run_did_is_written_before_the_report_so_that_its_reader_finds_it(self, it: Bench) -> None:
        it.reports.down = True
        with pytest.raises(GatewayUnavailable, match="down"):
            it.run()
        assert it.shard().run
        it.reports.down = False
        assert it.run().did == "reported"  # reported, but its report never came: run again
        assert it.shard().failures == 1

    def test_names_are_scanned_as_numbers_and_remembered(self, tmp_path: Path) -> None:
        it = bench(tmp_path, slices=(TargetSlice("localhost", 0, 1),))
        it.run()
        (stored,) = it.reports.objects.values()
        assert b"127.0.0.1" in stored
        run = it.shard().run
        assert run
        assert run.resolved == {"localhost": ("127.0.0.1",)}

    @pytest.mark.parametrize("target", ["gone.test", "10.0.0.1"])
    def test_a_shard_with_nothing_to_scan_stores_an_empty_report_and_never_starts_nmap(
        self, tmp_path: Path, target: str
    ) -> None:
        it = bench(tmp_path, slices=(TargetSlice(target, 0, 1),))
        assert it.run().exit_code is None
        assert list(it.reports.objects.values()) == [b""]
        run = it.shard().run
        assert run
        assert [*run.unresolved, *run.refused] != []

    def test_an_nmap_that_refuses_is_reported_with_what_it_said_and_not_tried_again(self, tmp_path: Path) -> None:
        it = bench(tmp_path, script="#!/bin/sh\necho 'Illegal port' >&2\nexit 1\n")
        assert it.run().did == "reported"
        run = it.shard().run
        assert run
        assert (run.exit_code, run.stderr) == (1, "Illegal port")

    def test_an_nmap_that_may_not_be_executed_is_a_refusal_too(self, it: Bench) -> None:
        def refused(addresses: Sequence[str], on_tick: OnTick) -> NmapResult:
            raise PermissionError(1, "Operation not permitted", "/usr/bin/nmap")

        it.nmap(refused)
        assert it.run().did == "reported"
        run = it.shard().run
        assert run
        assert (run.exit_code, run.stderr) == (126, "/usr/bin/nmap: Operation not permitted")

    def test_a_run_without_a_beat_writes_the_shard_twice(self, it: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        writes: list[str] = []
        for name in ("claim_shard", "beat", "report_shard", "cut_shard", "return_shard", "hold_shard", "release_shard"):
            monkeypatch.setattr(it.table, name, _noted(getattr(it.table, name), name, writes))
        it.run()
        assert writes == ["claim_shard", "report_shard"]


def _noted(call: Callable[..., object], name: str, into: list[str]) -> Callable[..., object]:
    def noted(*args: object, **kwargs: object) -> object:
        into.append(name)
        return call(*args, **kwargs)

    return noted


class TestMessages:
    """The table decides; a message is only a nudge."""

    def test_a_duplicate_of_a_running_shards_message_is_done_with(self, it: Bench) -> None:
        held = claim(it.table, worker="other")
        assert it.run("a duplicate").did == "duplicate: other has it"
        assert it.shard() == held

    def test_the_same_message_again_means_that_its_holder_is_gone(self, it: Bench) -> None:
        claim(it.table, worker="other")
        assert it.run().did == "reported"
        assert (it.shard().attempt, it.shard().failures) == (2, 1)

    def test_a_message_of_a_closed_shard_is_done_with(self, it: Bench) -> None:
        it.table.close_shard(SCAN_ID, 0, ShardClosing(state=ShardState.RECORDED, outcome=Outcome.COMPLETE))
        assert it.run().did == "already recorded"
        assert it.reports.objects == {}

    def test_a_message_that_is_quicker_than_the_release_of_its_shard_releases_it(self, tmp_path: Path) -> None:
        it = bench(tmp_path, state=ShardState.WAITING)
        it.table.scans[SCAN_ID] = a_scan(shards_waiting=1, shards_in_flight=0, parallel=1)
        assert (it.run().did, it.taken_back) == ("returned: it waits", ["queued"])
        assert [message.shard for message in it.queues.sent[Lane.EXPRESS]] == [0]
        assert it.counts() == (1, 1, 0, 1)

    @pytest.mark.parametrize("state", [ScanState.CANCELLED, ScanState.ERRORED, ScanState.DONE])
    def test_a_message_of_a_scan_that_is_over_is_done_with(self, it: Bench, state: ScanState) -> None:
        it.table.scans[SCAN_ID] = a_scan(state=state)
        assert it.run().did == "over"
        assert it.shard() == a_shard()

    def test_a_message_of_a_scan_that_is_held_leaves_its_shard_waiting(self, it: Bench) -> None:
        it.table.halt(Switch(halted_at=NOW))
        assert it.run().did == "halted"
        assert it.shard() == a_shard(state=ShardState.WAITING)
        assert it.counts() == (1, 1, 1, 0)

    def test_the_shard_of_a_worker_that_died_waits_too_once_its_scan_is_held(self, it: Bench) -> None:
        claim(it.table)
        it.table.scans[SCAN_ID] = a_scan(state=ScanState.SUSPENDED)
        assert it.run("a duplicate").did == "suspended"
        assert it.shard().state is ShardState.RUNNING  # its own message will come again
        assert it.run().did == "suspended"
        assert it.shard().state is ShardState.WAITING

    def test_a_message_of_an_unknown_shard_or_scan_is_malformed(self, it: Bench) -> None:
        with pytest.raises(MalformedMessage, match="no shard 9"):
            it.run(shard=9)
        it.table.scans.clear()
        with pytest.raises(MalformedMessage, match="no scan"):
            it.run()

    def test_a_worker_that_lost_its_shard_to_a_later_attempt_stores_nothing(self, it: Bench) -> None:
        def robbed(addresses: Sequence[str], on_tick: OnTick) -> NmapResult:
            claim(it.table, worker="quick")
            self_report = some_hosts(addresses) + b"</nmaprun>"
            it.report.write_bytes(self_report)
            return NmapResult(0)

        it.nmap(robbed)
        with pytest.raises(ShardLost):
            it.run()
        assert it.reports.objects == {}


class TestCutting:
    """What was finished is kept, the rest is another shard, and both are counted."""

    @pytest.mark.parametrize(
        ("ended", "failures"),
        [(NmapResult(-15, StopReason.WORKER), 0), (NmapResult(-9, stderr="Killed"), 1), (NmapResult(0), 1)],
    )
    def test_finished_hosts_are_kept_and_the_rest_is_a_shard_with_a_message(
        self, block: Bench, ended: NmapResult, failures: int
    ) -> None:
        finished = ["127.0.0.0", "127.0.0.1", "127.0.0.7"]
        block.ends(ended, *finished)
        assert block.run().did == "cut: another shard gets the rest"
        done, rest = block.shard(0), block.shard(1)
        assert done.slices == (TargetSlice("127.0.0.0/28", 0, 2), TargetSlice("127.0.0.0/28", 7, 8))
        assert rest.slices == (TargetSlice("127.0.0.0/28", 2, 7), TargetSlice("127.0.0.0/28", 8, 16))
        assert (done.state, done.addresses, done.remainder) == (ShardState.REPORTED, 3, 1)
        assert done.run
        assert (done.run.cut, done.run.addresses, done.run.stopped) == (True, 3, ended.stopped or "")
        assert (rest.state, rest.addresses, rest.failures, rest.generation) == (ShardState.QUEUED, 13, failures, 1)
        assert rest.stderr == ended.stderr
        assert block.reports.objects == {f"reports/{SCAN_ID}/000000/1.xml": some_hosts(finished)}
        assert [message.shard for message in block.queues.sent[Lane.RAW]] == [1]
        assert block.counts() == (2, 2, 0, 2)

    def test_a_remainder_is_run_like_any_shard(self, block: Bench) -> None:
        block.ends(NmapResult(-15, StopReason.WORKER), "127.0.0.3")
        block.run()
        block.worker = replace(block.worker, run=a_worker("", block.table).run)
        assert block.run("its message", shard=1).did == "reported"
        stored = block.reports.objects[f"reports/{SCAN_ID}/000001/1.xml"].decode().split()
        assert stored[1:-1] == [f"127.0.0.{n}" for n in range(16) if n != 3]

    @pytest.mark.parametrize("how", ["suspended", "halted", "window"])
    def test_held_while_it_runs_a_scan_keeps_what_is_finished_and_the_rest_waits(self, block: Bench, how: str) -> None:
        block.stopped("127.0.0.5")
        if how == "window":
            closes = NOW + timedelta(seconds=heartbeat.HEARTBEAT_S)
            block.table.scans[SCAN_ID] = a_scan(windows=(f"00:00-{closes:%H:%M}",))
            block.now -= timedelta(seconds=closes.second)
        before = block.worker.run

        def held(argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick) -> NmapResult:
            if how == "suspended":
                block.table.advance_scan(SCAN_ID, ScanState.SUSPENDED, expected=[ScanState.SCANNING])
            elif how == "halted":
                block.table.halt(Switch(halted_at=NOW))
            return before(argv, folder, report, deadline_s, on_tick)

        block.worker = replace(block.worker, run=held)
        run = block.run()
        assert (run.stopped, run.did) == (how, "cut: another shard gets the rest")
        assert block.shard(1).state is ShardState.WAITING
        assert not block.queues.sent
        assert block.counts() == (2, 2, 1, 1)

    def test_cancelled_while_it_runs_a_shard_is_let_go_within_a_heartbeat(self, block: Bench) -> None:
        block.stopped("127.0.0.5")
        before = block.worker.run

        def cancelled(
            argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick
        ) -> NmapResult:
            block.table.close_shard(SCAN_ID, 0, ShardClosing(state=ShardState.CANCELLED, outcome=Outcome.PARTIAL))
            return before(argv, folder, report, deadline_s, on_tick)

        block.worker = replace(block.worker, run=cancelled)
        with pytest.raises(ShardLost):
            block.run()
        assert (block.reports.objects, block.counts()) == ({}, (1, 0, 0, 0))

    def test_a_function_that_dies_before_the_message_of_the_remainder_leaves_it_to_the_next_report(
        self, block: Bench
    ) -> None:
        block.ends(NmapResult(-15, StopReason.WORKER), "127.0.0.3")
        block.queues.down = True
        with pytest.raises(GatewayUnavailable):
            block.run()
        block.queues.down = False
        block.nmap(lambda addresses, on_tick: NmapResult(1))
        assert block.run().did == "reported"  # only what was done is asked again
        assert block.shard().slices == (TargetSlice("127.0.0.0/28", 3, 4),)
        send_remainder(block.shard(), a_scan(), block.gateways)
        assert [message.shard for message in block.queues.sent[Lane.RAW]] == [1]

    def test_what_a_lambda_had_no_time_for_is_a_connect_shard(self, tmp_path: Path) -> None:
        it = bench(tmp_path, slices=(BLOCK,), addresses=16)
        it.ends(NmapResult(-15, StopReason.TIME_LIMIT))
        assert it.run().did == "cut: another shard gets the rest"
        assert (it.shard(0).addresses, it.shard(1).addresses, it.shard(1).lane) == (0, 16, Lane.CONNECT)
        assert [message.shard for message in it.queues.sent[Lane.CONNECT]] == [1]

    def test_a_run_stopped_when_every_host_was_finished_is_the_answer(self, block: Bench) -> None:
        block.ends(NmapResult(-15, StopReason.WORKER), *(f"127.0.0.{n}" for n in range(16)))
        assert block.run().did == "reported"
        run = block.shard().run
        assert run
        assert (run.cut, run.addresses) == (True, 16)


class TestTimedOutHosts:
    """host-timeout.xml is nmap's whole report of 127.0.0.1, which ran into --host-timeout."""

    LIMITED = ("-n", "--host-timeout", "1s")
    LONGER = (*LIMITED, "--host-timeout", "2000ms")

    def ended(self, folder: Path, **fields: object) -> Bench:
        fields = {"slices": (BLOCK,), "addresses": 16, "arguments": self.LIMITED} | fields
        it = bench(folder, WRITES_A_REPORT, **fields)

        def does(addresses: Sequence[str], on_tick: OnTick) -> NmapResult:
            it.report.write_bytes(report("host-timeout"))
            return NmapResult(0)

        it.nmap(does)
        return it

    def test_they_become_a_shard_of_their_own_with_twice_the_time(self, tmp_path: Path) -> None:
        it = self.ended(tmp_path, retry_timed_out=True)
        assert it.run().did == "cut: another shard gets the rest"
        done, rest = it.shard(0), it.shard(1)
        assert done.slices == (TargetSlice("127.0.0.0/28", 0, 1), TargetSlice("127.0.0.0/28", 2, 16))
        assert (done.state, done.addresses, done.arguments) == (ShardState.REPORTED, 15, self.LIMITED)
        assert done.run
        assert (done.run.cut, done.run.addresses, done.run.asked_again) == (False, 16, 1)
        assert rest.slices == (TargetSlice("127.0.0.0/28", 1, 2),)
        assert (rest.arguments, rest.failures, rest.state) == (self.LONGER, 0, ShardState.QUEUED)
        assert [message.shard for message in it.queues.sent[Lane.EXPRESS]] == [1]
        assert it.counts() == (2, 2, 0, 2)

    def test_once(self, tmp_path: Path) -> None:
        it = self.ended(tmp_path, retry_timed_out=True)
        it.run()
        assert it.run("its message", shard=1).did == "reported"
        assert it.counts() == (2, 2, 0, 2)

    @pytest.mark.parametrize(
        "fields",
        [{}, {"retry_timed_out": True, "arguments": ("-n",)}, {"retry_timed_out": True, "generation": 64}],
        ids=["nobody asks for it", "without a limit", "cut often enough"],
    )
    def test_else_they_are_reported_as_they_are(self, tmp_path: Path, fields: dict[str, object]) -> None:
        it = self.ended(tmp_path, **fields)
        assert it.run().did == "reported"
        assert it.counts() == (1, 1, 0, 1)

    def test_a_worker_that_dies_before_its_report_leaves_the_whole_shard_to_the_next(self, tmp_path: Path) -> None:
        it = self.ended(tmp_path, retry_timed_out=True)
        it.reports.down = True
        with pytest.raises(GatewayUnavailable):
            it.run()
        it.reports.down = False
        it.ends(NmapResult(1))
        assert it.run().did == "reported"
        assert (it.shard().cut, it.shard().addresses, it.counts()) == (None, 16, (1, 1, 0, 1))


class TestReturning:
    def test_a_worker_that_must_end_gives_back_a_shard_without_a_finished_host_and_counts_nothing(
        self, block: Bench
    ) -> None:
        block.ends(NmapResult(-15, StopReason.WORKER))
        assert block.run().did == "returned"
        shard = block.shard()
        assert (shard.state, shard.failures, shard.lease_until) == (ShardState.QUEUED, 0, None)
        assert [message.shard for message in block.queues.sent[Lane.RAW]] == [0]
        assert block.queues.delays_s == [0]

    def test_an_nmap_that_was_killed_is_tried_again_after_a_while_and_then_given_up(self, tmp_path: Path) -> None:
        it = bench(tmp_path, script="#!/bin/sh\necho 'no memory' >&2\nkill -KILL $$\n", backoff_limit=2)
        assert [(it.run(f"message {n}").did, *it.taken_back) for n in range(3)] == [
            ("returned", "queued"),
            ("returned", "queued"),
            ("returned", "given up"),
        ]
        assert it.queues.delays_s == [5, 20]
        shard = it.shard()
        assert (shard.state, shard.failures, shard.stderr) == (ShardState.FAILED, 3, "no memory")
        assert "nmap was ended by SIGKILL; nmap said: no memory" in shard.error_description
        assert it.reports.objects == {}

    def test_a_shard_out_of_attempts_whose_message_comes_again_is_given_up_again_and_not_run(self, it: Bench) -> None:
        it.table.shards_by_key[SCAN_ID, 0] = a_shard(failures=4, error_description="why")
        run = it.run()
        assert (run.did, run.error, it.taken_back) == ("returned", "why", ["given up"])
        assert (it.shard().state, it.shard().failures, it.reports.objects) == (ShardState.FAILED, 4, {})

    def test_an_nmap_that_is_not_there_is_a_failure_of_the_worker(self, it: Bench) -> None:
        it.worker = replace(it.worker, nmap=("/nowhere/nmap",))
        run = it.run()
        assert run.did == "returned"
        assert "/nowhere/nmap" in run.error
        assert it.shard().failures == 1


class TestDeadlines:
    def test_nmap_may_run_as_long_as_the_nearest_limit_says(self, block: Bench) -> None:
        block.ends(NmapResult(1))
        block.table.scans[SCAN_ID] = a_scan(deadline_at=NOW + timedelta(seconds=7))
        block.run()
        assert block.limit_s == 7

    def test_at_the_scans_deadline_what_was_found_is_reported_and_nothing_is_queued(self, block: Bench) -> None:
        block.table.scans[SCAN_ID] = a_scan(deadline_at=NOW + timedelta(seconds=7))
        block.ends(NmapResult(-15, StopReason.TIME_LIMIT), "127.0.0.3")
        run = block.run()
        assert (run.did, run.stopped) == ("reported", StopReason.SCAN_DEADLINE)
        assert (block.counts(), dict(block.queues.sent)) == ((1, 1, 0, 1), {})

    def test_past_the_deadline_nmap_is_not_started(self, block: Bench) -> None:
        block.table.scans[SCAN_ID] = a_scan(deadline_at=NOW)
        run = block.run()
        assert (run.did, run.attempt, run.exit_code) == ("scan-deadline", 0, None)
        assert block.shard(0).state is ShardState.QUEUED  # whoever ends the scan closes it

    def test_at_its_own_limit_a_shard_without_a_finished_host_is_reported_as_it_is(self, block: Bench) -> None:
        block.ends(NmapResult(-15, StopReason.TIME_LIMIT))
        run = block.run()
        assert (run.did, run.stopped) == ("reported", StopReason.TIME_LIMIT)


class TestHeartbeats:
    def test_a_beat_extends_the_lease_and_the_message_and_says_how_far_nmap_is(self, block: Bench) -> None:
        extended: list[datetime] = []
        block.stopped("127.0.0.3", "127.0.0.4")
        block.run(extend=lambda: extended.append(block.now), lease_s=120)
        beaten = NOW + timedelta(seconds=heartbeat.HEARTBEAT_S)
        assert extended == [beaten]
        assert block.shard().lease_until == beaten + timedelta(seconds=120)
        progress = block.shard().progress
        assert progress is not None
        assert progress.hosts_done == 2

    def test_a_beat_that_fails_is_tried_again_until_the_lease_is_nearly_over(self, block: Bench) -> None:
        heard: list[StopReason | None] = []

        def out_of_touch(addresses: Sequence[str], on_tick: OnTick) -> NmapResult:
            for _ in range(8):
                block.now += timedelta(seconds=heartbeat.HEARTBEAT_S)
                heard.append(on_tick())
            return NmapResult(-15, heard[-1])

        def unreachable() -> None:
            raise GatewayUnavailable("no answer")

        block.nmap(out_of_touch)
        assert block.run(extend=unreachable, lease_s=120).did == "returned"
        assert heard == [None] * 6 + [StopReason.HEARTBEAT] * 2
        assert block.shard().failures == 1

    def test_while_names_are_resolved_and_the_report_is_stored_the_heart_beats_too(
        self, it: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(heartbeat, "TICK_S", 0.001)
        monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0)
        beats = _Beats()
        put = it.reports.put_report

        def slow_put(*args: object) -> None:
            beats.wait_for_one_more()
            put(*args)  # type: ignore[arg-type]  # as it was called

        monkeypatch.setattr(it.reports, "put_report", slow_put)
        assert it.run(extend=beats.count).did == "reported"


class _Beats:
    def __init__(self) -> None:
        self.seen = threading.Semaphore(0)

    def count(self) -> None:
        self.seen.release()

    def wait_for_one_more(self) -> None:
        while self.seen.acquire(blocking=False):
            pass
        assert self.seen.acquire(timeout=60)


def test_our_options_stand_after_the_requests_so_that_ours_win() -> None:
    shard = a_shard(arguments=("-sV", "-p", "22"), lane=Lane.RAW, family=6)
    assert build_nmap_command(["nmap"], shard, Path("/scratch")) == (
        *("nmap", "-sV", "-p", "22", "-6", "--privileged", "--no-stylesheet"),
        *("--stats-every", "5s"),
        *("-oX", "/scratch/report.xml", "-iL", "/scratch/targets"),
    )


def test_a_connect_shard_runs_unprivileged_even_as_root() -> None:
    assert "--unprivileged" in build_nmap_command(["nmap"], a_shard(lane=Lane.CONNECT), Path("/scratch"))
