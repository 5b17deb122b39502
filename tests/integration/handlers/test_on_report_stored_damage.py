"""on_report_stored, with reports that are no good: each ends its shard with a reason, and none comes back for ever."""

from __future__ import annotations

import pytest

from cascan.ids import ReportKey
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import NmapRun, ShardState
from tests.data.envelopes.build import object_created, sqs_event
from tests.data.reports import report
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import Stack
from tests.support.builders import SCAN_ID, a_run, a_scan, a_shard

KEY = ReportKey(SCAN_ID, 0, 1)
STORED = sqs_event(object_created(str(KEY)))
CONNECT = report("connect")
UNREADABLE = {
    "not XML": b"connection refused\n",
    "bytes": bytes(range(256)),
    "empty": b"",
    "cut before the first element": CONNECT[:60],
    "not from nmap": b'<?xml version="1.0"?><html><body>404</body></html>',
    "entities of its own": report("oddities/entities"),
    "a list of scripts": report("oddities/script-help"),
}


@pytest.fixture
def on_report_stored(cold_start: ColdStart) -> Function:
    return cold_start("on_report_stored")


def deliver(stack: Stack, on_report_stored: Function, data: bytes, run: NmapRun | None = None, times: int = 1) -> None:
    stack.store(a_scan(), a_shard(state=ShardState.REPORTED, attempt=1, run=run or a_run()))
    stack.put_report(KEY, data)
    for _ in range(times):
        assert on_report_stored.failed(STORED) == []


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_a_report_that_cannot_be_read_ends_its_scan_errored_with_the_reason(
    stack: Stack, on_report_stored: Function, data: bytes
) -> None:
    deliver(stack, on_report_stored, data, times=2)
    scan, shard = stack.scan(SCAN_ID), stack.shard(SCAN_ID)
    assert (scan.state, scan.outcome, shard.state) == (ScanState.ERRORED, Outcome.FAILED, ShardState.FAILED)
    assert scan.error_description.startswith("the report cannot be read: ")
    assert scan.error_description == shard.error_description
    recorded, failed = stack.heard()
    assert (recorded["detail"]["outcome"], recorded["detail"]["findings"]["count"]) == ("failed", 0)
    assert (failed["detail-type"], failed["detail"]["reason"]) == ("ScanFailed", scan.error_description)
    assert failed["detail"]["refused"] is False


@pytest.mark.parametrize("data", [report("killed"), CONNECT[: CONNECT.index(b"<runstats")]], ids=["killed", "cut"])
def test_the_hosts_of_a_report_that_is_cut_short_are_kept(
    stack: Stack, on_report_stored: Function, data: bytes
) -> None:
    deliver(stack, on_report_stored, data, times=2)
    scan = stack.scan(SCAN_ID)
    assert (scan.state, scan.outcome) == (ScanState.PARSE_COMPLETED, Outcome.PARTIAL)
    assert scan.findings.count == len(list(stack.table.findings(SCAN_ID))) > 0
    said = "only a part was reported: the report is cut short, though nmap says that it ended well"
    assert stack.shard(SCAN_ID).error_description.startswith(said)
    assert stack.heard_names() == ["FindingsRecorded", "ScanCompleted"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("bad-ports", "Ports specified must be between 0 and 65535 inclusive"), ("bad-script", "no-such-script")],
)
def test_an_nmap_that_failed_ends_its_scan_errored_with_its_own_message(
    stack: Stack, on_report_stored: Function, name: str, said: str
) -> None:
    deliver(stack, on_report_stored, report(name), a_run(exit_code=1))
    scan = stack.scan(SCAN_ID)
    assert (scan.state, scan.outcome) == (ScanState.ERRORED, Outcome.FAILED)
    assert scan.error_description.startswith("nmap: ")
    assert said in scan.error_description


def test_an_empty_report_of_a_shard_with_nothing_to_scan_says_why(stack: Stack, on_report_stored: Function) -> None:
    refused = a_run(exit_code=None, addresses=0, refused=("127.0.0.1 is not in the allowed targets",))
    deliver(stack, on_report_stored, b"", refused)
    assert stack.scan(SCAN_ID).error_description == "127.0.0.1 is not in the allowed targets"


def test_a_shard_that_failed_leaves_the_others_their_answer(stack: Stack, on_report_stored: Function) -> None:
    shards = [a_shard(number=n, state=ShardState.REPORTED, attempt=1, run=a_run()) for n in range(2)]
    stack.store(a_scan(shards=2, shards_open=2), *shards)
    keys = [ReportKey(SCAN_ID, n, 1) for n in range(2)]
    for key, data in zip(keys, (b"", CONNECT), strict=True):
        stack.put_report(key, data)
    assert on_report_stored.failed(sqs_event(*(object_created(str(key)) for key in keys))) == []
    assert (stack.scan(SCAN_ID).state, stack.scan(SCAN_ID).outcome) == (ScanState.PARSE_COMPLETED, Outcome.PARTIAL)
    assert stack.scan(SCAN_ID).shard_outcomes == {"failed": 1, "complete": 1}
