"""on_shard_queued: a shard message, the real nmap against a port of ours, its report in the bucket."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.aws.s3.report_store import S3ReportStore
from cascan.errors import GatewayUnavailable
from cascan.ids import ReportKey
from cascan.model.scan import Outcome
from cascan.model.shard import Lane, Shard, ShardClosing, ShardState, TargetSlice
from tests.data.envelopes.build import sqs_event, sqs_record
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import RETURNED_ARN, Stack
from tests.support.builders import SCAN_ID, a_scan, a_shard, claim, shard_queued

KEY = ReportKey(SCAN_ID, 0, 1)
MESSAGE = shard_queued().to_wire()
RECORDED = ShardClosing(state=ShardState.RECORDED, outcome=Outcome.COMPLETE)
KEEPING_NMAP = """#!/bin/sh
/usr/bin/nmap "$@"; code=$?
echo "$*" >> {kept}/runs
while [ "$1" != -oX ]; do shift; done
cp "$2" {kept}/report.xml
exit $code
"""


@pytest.fixture
def port() -> Iterator[int]:
    """An open port on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the nmap of these tests keeps a copy of each report, and a line for each run."""
    script = tmp_path / "nmap"
    script.write_text(KEEPING_NMAP.format(kept=tmp_path))
    script.chmod(0o755)
    (tmp_path / "runs").touch()
    return tmp_path


@pytest.fixture
def on_shard_queued(cold_start: ColdStart, kept: Path) -> Function:
    return cold_start("on_shard_queued", NMAP_COMMAND=str(kept / "nmap"))


TimePasses = Callable[[bytes, float], None]


@pytest.fixture
def time_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TimePasses:
    """Has the clock of nmap's process stand still until the report shows something, and be so many seconds on then."""

    def once(report_has: bytes, passed_s: float) -> None:
        def monotonic() -> float:
            begun = any(report_has in report.read_bytes() for report in tmp_path.glob("shard-*/report.xml"))
            return passed_s if begun else 0.0

        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.setattr("on_shard_queued.nmap_process.time", SimpleNamespace(monotonic=monotonic))

    return once


def unavailable(*_: object) -> None:
    raise GatewayUnavailable("the bucket is down")


def shard(*arguments: str, **fields: Any) -> Shard:
    return a_shard(arguments=("-n", *arguments), **fields)


def test_the_report_in_the_bucket_is_what_nmap_wrote(
    stack: Stack, on_shard_queued: Function, port: int, kept: Path
) -> None:
    stack.store(a_scan(), shard("-p", str(port)))
    assert on_shard_queued.failed(sqs_event(MESSAGE)) == []
    report = stack.read(KEY)
    assert report == (kept / "report.xml").read_bytes()
    assert f'portid="{port}"><state state="open"'.encode() in report
    ran = stack.shard(SCAN_ID)
    assert (ran.state, ran.attempt, ran.worker) == (ShardState.REPORTED, 1, "express")
    assert ran.run is not None
    assert (ran.run.exit_code, ran.run.stopped, ran.run.addresses) == (0, "", 1)
    (announced,) = stack.received("reports")
    assert str(KEY) in announced["body"]


def test_two_messages_of_one_shard_run_nmap_once(
    stack: Stack, on_shard_queued: Function, port: int, kept: Path
) -> None:
    stack.store(a_scan(), shard("-p", str(port)))
    event = sqs_event(MESSAGE)
    on_shard_queued(event)
    after_one = stack.items()
    on_shard_queued({"Records": [sqs_record(MESSAGE, message_id="another")]})
    assert (stack.items(), stack.keys()) == (after_one, [str(KEY)])
    assert len((kept / "runs").read_text().splitlines()) == 1


def test_a_shard_delivered_again_before_its_report_is_read_leaves_two_reports_that_count_once(
    stack: Stack, on_shard_queued: Function, cold_start: ColdStart, port: int
) -> None:
    stack.store(a_scan(), shard("-p", str(port)))
    for receive_count in (1, 2):
        assert on_shard_queued.failed(sqs_event(MESSAGE, receive_count=receive_count)) == []
    assert stack.keys() == [str(KEY), str(ReportKey(SCAN_ID, 0, 2))]
    assert cold_start("on_report_stored").failed({"Records": stack.received("reports")}) == []
    scan = stack.scan(SCAN_ID)
    assert (scan.shards_open, scan.shard_outcomes, scan.hosts_up) == (0, {"complete": 1}, 1)
    assert scan.findings.count == len(list(stack.table.findings(SCAN_ID)))
    assert stack.heard_names() == ["FindingsRecorded", "ScanCompleted"]


def test_a_shard_whose_report_could_not_be_stored_is_run_again(
    stack: Stack, on_shard_queued: Function, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.store(a_scan(), shard("-p", str(port)))
    with monkeypatch.context() as patch:
        patch.setattr(S3ReportStore, "put_report", unavailable)
        assert len(on_shard_queued.failed(sqs_event(MESSAGE))) == 1
    assert on_shard_queued.failed(sqs_event(MESSAGE, receive_count=2)) == []
    assert stack.keys() == [str(ReportKey(SCAN_ID, 0, 2))]


def test_a_shard_delivered_again_once_it_is_recorded_is_done_with(
    stack: Stack, on_shard_queued: Function, port: int, kept: Path
) -> None:
    stack.store(a_scan(), shard("-p", str(port)))
    on_shard_queued(sqs_event(MESSAGE))
    stack.table.close_shard(SCAN_ID, 0, RECORDED)
    after_one = stack.items()
    assert on_shard_queued.failed(sqs_event(MESSAGE, receive_count=2)) == []
    assert (stack.items(), stack.keys()) == (after_one, [str(KEY)])
    assert len((kept / "runs").read_text().splitlines()) == 1


def test_a_later_attempt_takes_the_shard_of_a_worker_that_died(
    stack: Stack, on_shard_queued: Function, port: int
) -> None:
    stack.store(a_scan(), shard("-p", str(port)))
    claim(stack.table, worker="a worker that died")
    assert on_shard_queued.failed(sqs_event(MESSAGE, receive_count=2)) == []
    assert stack.keys() == [str(ReportKey(SCAN_ID, 0, 2))]


def test_what_no_retry_can_help_is_parked_at_once_with_its_reason(
    stack: Stack, on_shard_queued: Function, port: int
) -> None:
    stack.store(a_scan(), shard("-p", str(port)))
    unknown = sqs_record(shard_queued(7).to_wire())
    unreadable = sqs_record("no message")
    batch = {"Records": [unreadable, sqs_record(MESSAGE), unknown]}
    assert on_shard_queued.failed(batch) == []
    parked = {message["body"]: message["messageAttributes"]["reason"] for message in stack.received("returned")}
    assert parked[unknown["body"]] == f"scan {SCAN_ID} has no shard 7"
    assert parked["no message"].startswith("not a ShardQueued message")
    assert stack.keys() == [str(KEY)]


def test_nmap_is_stopped_in_time_to_store_what_it_has(
    stack: Stack, on_shard_queued: Function, time_passes: TimePasses
) -> None:
    stack.store(a_scan(), shard("-p", "1-1000", "--scan-delay", "100ms"))  # 100 s at least
    time_passes(b"<?xml", 1.0)
    assert on_shard_queued.failed(sqs_event(MESSAGE), remaining_s=21.0) == []
    run = stack.shard(SCAN_ID).run
    assert run is not None
    assert run.stopped == "deadline"
    assert stack.read(KEY).startswith(b"<?xml")


def test_an_nmap_that_refuses_its_ports_is_reported_with_what_it_said(
    stack: Stack, on_shard_queued: Function, kept: Path
) -> None:
    stack.store(a_scan(), shard("-p", "99999"))
    assert on_shard_queued.failed(sqs_event(MESSAGE)) == []
    run = stack.shard(SCAN_ID).run
    assert run is not None
    assert run.exit_code == 1
    assert "Ports specified must be between 0 and 65535" in run.stderr
    assert stack.read(KEY) == (kept / "report.xml").read_bytes()


def test_a_scope_that_became_narrower_leaves_an_empty_report_and_starts_no_nmap(
    stack: Stack, cold_start: ColdStart, kept: Path
) -> None:
    stack.store(a_scan(), shard("-p", "22"))
    narrower = cold_start("on_shard_queued", NMAP_COMMAND=str(kept / "nmap"), ALLOWED_TARGETS="10.0.0.0/16")
    assert narrower.failed(sqs_event(MESSAGE)) == []
    run = stack.shard(SCAN_ID).run
    assert run is not None
    assert "127.0.0.1" in run.refused[0]
    assert (stack.read(KEY), (kept / "runs").read_text()) == (b"", "")


def test_an_nmap_that_is_not_there_is_named_in_the_log_and_the_shard_is_tried_again_until_it_is_given_up(
    stack: Stack, cold_start: ColdStart, caplog: pytest.LogCaptureFixture
) -> None:
    stack.store(a_scan(), shard("-p", "22", backoff_limit=0))
    function = cold_start("on_shard_queued", NMAP_COMMAND="/nowhere/nmap")
    assert function.failed(sqs_event(MESSAGE)) == []
    assert "/nowhere/nmap" in next(vars(record)["error"] for record in caplog.records if record.levelname == "WARNING")
    returned = stack.received("returned")
    assert [json.loads(record["body"])["failed"] for record in returned] == [True]
    records = [record | {"eventSourceARN": RETURNED_ARN} for record in returned]
    assert cold_start("on_shard_abandoned").failed({"Records": records}) == []
    assert (stack.shard(SCAN_ID).failures, stack.shard(SCAN_ID).state) == (1, ShardState.FAILED)


def test_what_does_not_end_in_the_functions_time_is_kept_and_the_rest_left_to_a_worker(
    stack: Stack, cold_start: ColdStart, port: int, time_passes: TimePasses
) -> None:
    slow = ("-p", f"{port},1-30", "--scan-delay", "20ms", "--max-hostgroup", "1")  # 0.6 s a host
    stack.store(a_scan(), shard(*slow, slices=(TargetSlice("127.0.0.1-100", 0, 100),), addresses=100))
    function = cold_start("on_shard_queued", NMAP_COMMAND="/usr/bin/nmap", ALLOWED_TARGETS="127.0.0.0/8")
    time_passes(b"</host>", 3.0)
    assert function.failed(sqs_event(MESSAGE), remaining_s=23.0) == []
    assert cold_start("on_report_stored").failed({"Records": stack.received("reports")}) == []
    done, rest = stack.shard(SCAN_ID), stack.shard(SCAN_ID, 1)
    assert done.run is not None
    assert (done.run.stopped, done.run.cut) == ("deadline", True)
    assert 0 < done.addresses < 100
    assert (rest.lane, rest.state, rest.addresses) == (Lane.CONNECT, ShardState.QUEUED, 100 - done.addresses)
    assert [json.loads(record["body"])["shard"] for record in stack.received("connect")] == [1]
    assert f'portid="{port}"><state state="open"'.encode() in stack.read(KEY)
    assert (stack.scan(SCAN_ID).shards, stack.scan(SCAN_ID).shards_open) == (2, 1)
