"""What becomes of a shard whose nmap was stopped or failed, for every way that a run ends."""

from __future__ import annotations

import pytest

from cascan.limits import MAX_GENERATIONS
from cascan.model.shard import Lane, Shard
from cascan.scans.transitions import HOLD_REASONS, StopReason
from on_shard_queued.choose_next_step import NextStep, ShardAction, choose_next_step, is_conclusive
from on_shard_queued.nmap_process import NmapResult
from tests.support.builders import a_shard

RAW = a_shard(lane=Lane.RAW)
STOPPED = -15


def after(
    stop: StopReason | None = None,
    *,
    finished: int = 3,
    unfinished: int = 5,
    shard: Shard = RAW,
    exit_code: int = STOPPED,
) -> NextStep:
    return choose_next_step(shard, NmapResult(exit_code, stop), finished=finished, unfinished=unfinished)


@pytest.mark.parametrize(
    ("result", "whole", "conclusive"),
    [
        (NmapResult(0), True, True),
        (NmapResult(0), False, False),  # a full disk
        (NmapResult(1), False, True),  # it refused
        (NmapResult(255), False, True),
        (NmapResult(126, stderr="nmap: Operation not permitted"), False, True),
        (NmapResult(None), False, True),  # no target
        (NmapResult(-9), False, False),
        (NmapResult(0, StopReason.TIME_LIMIT), True, False),
        (NmapResult(None, error="no such file"), False, False),
    ],
)
def test_a_run_is_conclusive_or_was_interrupted(result: NmapResult, whole: bool, conclusive: bool) -> None:
    assert is_conclusive(result, whole=whole) is conclusive


@pytest.mark.parametrize("stop", [StopReason.LOST, StopReason.OVER])
def test_a_shard_that_somebody_else_has_is_let_go(stop: StopReason) -> None:
    assert after(stop).action is ShardAction.DROP
    assert after(stop, finished=0).action is ShardAction.DROP


@pytest.mark.parametrize("finished", [0, 3])
def test_at_the_scans_deadline_what_was_found_is_the_answer(finished: int) -> None:
    assert after(StopReason.SCAN_DEADLINE, finished=finished) == NextStep(ShardAction.REPORT)


@pytest.mark.parametrize("stop", [StopReason.WORKER, StopReason.TIME_LIMIT, StopReason.SIZE])
def test_finished_hosts_are_kept_and_the_rest_returns_at_once_without_counting_a_failure(stop: StopReason) -> None:
    assert after(stop) == NextStep(ShardAction.CUT, Lane.RAW)


@pytest.mark.parametrize("stop", sorted(HOLD_REASONS))
def test_the_rest_of_a_scan_that_is_held_counts_no_failure(stop: StopReason) -> None:
    assert after(stop) == NextStep(ShardAction.CUT, Lane.RAW)
    assert after(stop, finished=0) == NextStep(ShardAction.RETURN, Lane.RAW)


def test_a_worker_that_must_end_before_a_host_is_finished_gives_the_shard_back_as_it_is() -> None:
    assert after(StopReason.WORKER, finished=0) == NextStep(ShardAction.RETURN, Lane.RAW)


@pytest.mark.parametrize("stop", [StopReason.TIME_LIMIT, StopReason.SIZE])
def test_a_limit_that_would_only_be_met_again_ends_the_shard(stop: StopReason) -> None:
    assert after(stop, finished=0) == NextStep(ShardAction.REPORT)


@pytest.mark.parametrize("finished", [0, 3])
def test_what_a_lambda_has_no_time_for_goes_to_the_connect_lane(finished: int) -> None:
    express = a_shard(lane=Lane.EXPRESS)
    assert after(StopReason.TIME_LIMIT, finished=finished, shard=express) == NextStep(ShardAction.CUT, Lane.CONNECT)


@pytest.mark.parametrize(
    ("ended", "error"),
    [
        (NmapResult(-9), "nmap was ended by SIGKILL"),
        (NmapResult(-63), "nmap was ended by signal 63"),
        (NmapResult(STOPPED, StopReason.HEARTBEAT), "the worker lost touch with its queue or table"),
        (NmapResult(0), "nmap left a report without an end"),
        (NmapResult(None, error="nmap was not started: why"), "nmap was not started: why"),
    ],
)
def test_a_failure_is_counted_and_named_whether_hosts_were_finished_or_not(ended: NmapResult, error: str) -> None:
    assert choose_next_step(RAW, ended, finished=3, unfinished=5) == NextStep(ShardAction.CUT, Lane.RAW, True, error)
    assert choose_next_step(RAW, ended, finished=0, unfinished=8) == NextStep(ShardAction.RETURN, Lane.RAW, True, error)


def test_a_full_disk_is_named() -> None:
    assert (
        choose_next_step(RAW, NmapResult(0), finished=0, unfinished=8, disk_full=True).error
        == "the worker's disk is full"
    )


def test_a_run_that_was_stopped_when_everything_was_done_is_the_answer() -> None:
    assert after(StopReason.WORKER, unfinished=0) == NextStep(ShardAction.REPORT)


def test_a_shard_is_not_cut_for_ever() -> None:
    old = a_shard(lane=Lane.RAW, generation=MAX_GENERATIONS)
    assert after(StopReason.WORKER, shard=old) == NextStep(
        ShardAction.RETURN, Lane.RAW, True, f"it was cut {MAX_GENERATIONS} times"
    )
    assert after(StopReason.TIME_LIMIT, shard=old) == NextStep(ShardAction.REPORT)
