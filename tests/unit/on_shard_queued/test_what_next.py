"""What becomes of a shard whose run was broken off, for every way that a run ends."""

from __future__ import annotations

import pytest

from cascan.limits import MAX_GENERATIONS
from cascan.model.shard import Lane, Shard, ShardState
from cascan.scans.transitions import HELD, StopReason
from on_shard_queued.nmap_process import Ended
from on_shard_queued.what_next import Do, Next, said_itself, what_next
from tests.support.builders import a_shard

RAW = a_shard(lane=Lane.RAW)
STOPPED = -15


def after(stop: str = "", *, finished: int = 3, left: int = 5, shard: Shard = RAW, exit_code: int = STOPPED) -> Next:
    return what_next(shard, Ended(exit_code, stop), finished=finished, left=left)


@pytest.mark.parametrize(
    ("ended", "whole", "its_own"),
    [
        (Ended(0), True, True),
        (Ended(0), False, False),  # a full disk
        (Ended(1), False, True),  # it refused
        (Ended(255), False, True),
        (Ended(126, stderr="nmap: Operation not permitted"), False, True),
        (Ended(None), False, True),  # nothing to ask
        (Ended(-9), False, False),
        (Ended(0, "deadline"), True, False),
        (Ended(None, error="no such file"), False, False),
    ],
)
def test_nmap_had_its_say_or_was_broken_off(ended: Ended, whole: bool, its_own: bool) -> None:
    assert said_itself(ended, whole=whole) is its_own


@pytest.mark.parametrize("stop", [StopReason.LOST, StopReason.OVER])
def test_a_shard_that_somebody_else_has_is_let_go(stop: StopReason) -> None:
    assert after(stop).do is Do.DROP
    assert after(stop, finished=0).do is Do.DROP


@pytest.mark.parametrize("finished", [0, 3])
def test_at_the_scans_deadline_what_was_found_is_the_answer(finished: int) -> None:
    assert after(StopReason.SCAN_DEADLINE, finished=finished) == Next(Do.REPORT)


@pytest.mark.parametrize("stop", [StopReason.WORKER, StopReason.TIME_LIMIT, StopReason.SIZE])
def test_finished_hosts_are_kept_and_the_rest_returns_at_once_without_counting_a_failure(stop: StopReason) -> None:
    assert after(stop) == Next(Do.CUT, ShardState.QUEUED, Lane.RAW)


@pytest.mark.parametrize("stop", sorted(HELD))
def test_the_rest_of_a_scan_that_is_held_waits(stop: StopReason) -> None:
    assert after(stop) == Next(Do.CUT, ShardState.WAITING, Lane.RAW)
    assert after(stop, finished=0) == Next(Do.RETURN, ShardState.WAITING, Lane.RAW)


def test_a_worker_that_must_end_before_a_host_is_finished_gives_the_shard_back_as_it_is() -> None:
    assert after(StopReason.WORKER, finished=0) == Next(Do.RETURN, ShardState.QUEUED, Lane.RAW)


@pytest.mark.parametrize("stop", [StopReason.TIME_LIMIT, StopReason.SIZE])
def test_a_limit_that_would_only_be_met_again_ends_the_shard(stop: StopReason) -> None:
    assert after(stop, finished=0) == Next(Do.REPORT)


@pytest.mark.parametrize("finished", [0, 3])
def test_what_a_lambda_has_no_time_for_goes_to_the_connect_lane(finished: int) -> None:
    express = a_shard(lane=Lane.EXPRESS)
    assert after(StopReason.TIME_LIMIT, finished=finished, shard=express) == Next(
        Do.CUT, ShardState.QUEUED, Lane.CONNECT
    )


@pytest.mark.parametrize(
    ("ended", "error"),
    [
        (Ended(-9), "nmap was ended by SIGKILL"),
        (Ended(-63), "nmap was ended by signal 63"),
        (Ended(STOPPED, StopReason.HEARTBEAT), "the worker lost touch with its queue or table"),
        (Ended(0), "nmap left a report without an end"),
        (Ended(None, error="nmap was not started: why"), "nmap was not started: why"),
    ],
)
def test_a_failure_is_counted_and_named_whether_hosts_were_finished_or_not(ended: Ended, error: str) -> None:
    assert what_next(RAW, ended, finished=3, left=5) == Next(Do.CUT, ShardState.QUEUED, Lane.RAW, True, error)
    assert what_next(RAW, ended, finished=0, left=8) == Next(Do.RETURN, ShardState.QUEUED, Lane.RAW, True, error)


def test_a_full_disk_is_named() -> None:
    assert what_next(RAW, Ended(0), finished=0, left=8, disk_full=True).error == "the worker's disk is full"


def test_a_run_that_was_stopped_when_everything_was_done_is_the_answer() -> None:
    assert after(StopReason.WORKER, left=0) == Next(Do.REPORT)


def test_a_shard_is_not_cut_for_ever() -> None:
    old = a_shard(lane=Lane.RAW, generation=MAX_GENERATIONS)
    assert after(StopReason.WORKER, shard=old) == Next(
        Do.RETURN, ShardState.QUEUED, Lane.RAW, True, f"it was cut {MAX_GENERATIONS} times"
    )
    assert after(StopReason.TIME_LIMIT, shard=old) == Next(Do.REPORT)
