"""A shard message becomes a report in the bucket, or stays in its queue. A shell script stands in for nmap."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from cascan.errors import MalformedMessage, NmapKilled, ShardBusy
from cascan.events import ShardQueued
from cascan.model.scan import Outcome
from cascan.model.shard import Lane, Shard, ShardClosing, ShardState, TargetSlice
from cascan.nmap.command import nmap_argv
from cascan.scope import Scope
from on_shard_queued.run_shard import ShardRun, Worker, run_shard
from tests.builders import SCAN_ID, a_run, a_scan, a_shard, a_table, claim, clock
from tests.fakes import FixedResolver, MemoryReportStore, MemoryScanTable

WRITES_A_REPORT = """#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -oX) report=$2;; -iL) targets=$2;; esac; shift; done
{ echo '<nmaprun>'; cat "$targets"; echo '</nmaprun>'; } > "$report"
"""


@dataclass
class Bench:
    worker: Worker
    table: MemoryScanTable
    reports: MemoryReportStore

    def run(self, message_id: str = "a message", shard: int = 0) -> ShardRun:
        message = ShardQueued(scan_id=SCAN_ID, cause_id="planned", shard=shard)
        return run_shard(message, message_id, worker=self.worker, deadline_s=20)

    @property
    def shard(self) -> Shard:
        return self.table.shards_by_key[SCAN_ID, 0]


def bench(folder: Path, script: str = WRITES_A_REPORT, **fields: object) -> Bench:
    nmap = folder / "nmap"
    nmap.write_text(script)
    nmap.chmod(nmap.stat().st_mode | stat.S_IXUSR)
    table, reports = a_table(a_scan(), a_shard(**fields)), MemoryReportStore()
    worker = Worker(
        name="test",
        nmap=(str(nmap),),
        table=table,
        reports=reports,
        scope=Scope.of(["127.0.0.0/8"]),
        resolver=FixedResolver({"localhost": ["127.0.0.1"]}),
        clock=clock,
    )
    return Bench(worker, table, reports)


def test_a_shard_is_claimed_run_and_its_report_stored_under_its_attempt(tmp_path: Path) -> None:
    it = bench(tmp_path, attempt=1)
    assert it.run().did == "reported"
    assert it.reports.objects == {f"reports/{SCAN_ID}/000000/2.xml": b"<nmaprun>\n127.0.0.1\n</nmaprun>\n"}
    assert (it.shard.state, it.shard.attempt, it.shard.worker) == (ShardState.REPORTED, 2, "test")
    assert it.shard.run
    assert (it.shard.run.exit_code, it.shard.run.addresses) == (0, 1)


def test_what_the_run_did_is_written_before_the_report_so_that_its_reader_finds_it(tmp_path: Path) -> None:
    it = bench(tmp_path)
    it.reports.down = True
    with pytest.raises(Exception, match="down"):
        it.run()
    assert it.shard.run
    it.reports.down = False
    assert it.run().did == "reported"  # reported, but its report never came: run again


def test_names_are_scanned_as_numbers_and_remembered(tmp_path: Path) -> None:
    it = bench(tmp_path, slices=(TargetSlice("localhost", 0, 1),))
    it.run()
    (report,) = it.reports.objects.values()
    assert b"127.0.0.1" in report
    assert it.shard.run
    assert it.shard.run.resolved == {"localhost": ("127.0.0.1",)}


@pytest.mark.parametrize("target", ["gone.test", "10.0.0.1"])
def test_a_shard_with_nothing_to_scan_stores_an_empty_report_and_never_starts_nmap(tmp_path: Path, target: str) -> None:
    it = bench(tmp_path, slices=(TargetSlice(target, 0, 1),))
    assert it.run().exit_code is None
    assert list(it.reports.objects.values()) == [b""]
    assert it.shard.run
    assert [*it.shard.run.unresolved, *it.shard.run.refused] != []


def test_a_failing_nmap_is_reported_with_what_it_said(tmp_path: Path) -> None:
    it = bench(tmp_path, script="#!/bin/sh\necho 'Illegal port' >&2\nexit 1\n")
    it.run()
    assert it.shard.run
    assert (it.shard.run.exit_code, it.shard.run.stderr) == (1, "Illegal port")


def test_an_nmap_that_was_killed_leaves_the_shard_to_the_next_attempt(tmp_path: Path) -> None:
    it = bench(tmp_path, script="#!/bin/sh\nkill -KILL $$\n")
    with pytest.raises(NmapKilled, match="SIGKILL"):
        it.run()
    assert it.reports.objects == {}
    assert claim(it.table)


def test_a_second_message_of_a_running_shard_returns_to_its_queue(tmp_path: Path) -> None:
    it = bench(tmp_path)
    claim(it.table, worker="other")
    with pytest.raises(ShardBusy, match="running at other"):
        it.run("another message")


def test_a_message_of_a_closed_shard_is_done_with(tmp_path: Path) -> None:
    it = bench(tmp_path)
    it.table.close_shard(SCAN_ID, 0, ShardClosing(state=ShardState.RECORDED, outcome=Outcome.COMPLETE))
    assert it.run().did == "already recorded"
    assert it.reports.objects == {}


def test_a_worker_that_lost_its_shard_to_a_later_attempt_stores_nothing(tmp_path: Path) -> None:
    it = bench(tmp_path)
    assert claim(it.table, worker="slow")
    assert claim(it.table, worker="quick")
    assert not it.table.report_shard(SCAN_ID, 0, 1, a_run())


def test_a_message_of_an_unknown_shard_is_malformed(tmp_path: Path) -> None:
    with pytest.raises(MalformedMessage, match="no shard 9"):
        bench(tmp_path).run(shard=9)


def test_our_options_stand_after_the_requests_so_that_ours_win() -> None:
    shard = a_shard(arguments=("-sV", "-p", "22"), lane=Lane.RAW, family=6)
    assert nmap_argv(["nmap"], shard, Path("/scratch")) == (
        *("nmap", "-sV", "-p", "22", "-6", "--privileged", "--no-stylesheet"),
        *("-oX", "/scratch/report.xml", "-iL", "/scratch/targets"),
    )


def test_a_connect_shard_runs_unprivileged_even_as_root() -> None:
    assert "--unprivileged" in nmap_argv(["nmap"], a_shard(lane=Lane.CONNECT), Path("/scratch"))
