"""on_report_stored: stored reports become findings, inventory and events; the last one ends its scan."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from benchmarks.generated_reports import generate_report as generated
from cascan.aws.event_bus import EventBridgeBus
from cascan.errors import GatewayUnavailable
from cascan.ids import ReportKey
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import Lane, NmapRun, Shard, ShardState, TargetSlice
from on_report_stored.checkpoints import MIN_TURN_S
from tests.data.envelopes.build import Envelope, object_created, recorded, sqs_event, sqs_record
from tests.data.reports import hosts, report
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import Stack
from tests.support.builders import SCAN_ID, a_run, a_scan, a_shard

KEYS = [ReportKey(SCAN_ID, number, 1) for number in range(2)]
STORED = sqs_event(object_created(str(KEYS[0])))
OPEN_PORTS = [port.number for port in hosts("connect")[0].ports if port.state == "open"]
FOREIGN_KEYS = (
    "reports/readme.txt",
    f"reports/{SCAN_ID}/000000/1.xml/",
    f"reports/{SCAN_ID}/0/1.xml",
    f"reports/../{SCAN_ID}/000000/1.xml",
    f"results/{SCAN_ID}/findings.json",
)


@pytest.fixture
def on_report_stored(cold_start: ColdStart) -> Function:
    return cold_start("on_report_stored")


def reported(number: int = 0, run: NmapRun | None = None) -> Shard:
    return a_shard(number=number, state=ShardState.REPORTED, attempt=1, run=run or a_run())


def test_a_report_becomes_findings_and_the_last_one_ends_its_scan(stack: Stack, on_report_stored: Function) -> None:
    stack.store(a_scan(), reported())
    stack.put_report(KEYS[0], report("connect"))
    assert on_report_stored.failed(STORED) == []
    findings = [finding for finding in stack.table.findings(SCAN_ID) if finding.category == "Open Port"]
    assert sorted(finding.attributes["port"] for finding in findings) == OPEN_PORTS
    assert [p.port for p in stack.table.known_hosts(["127.0.0.1"])["127.0.0.1"].open_ports] == OPEN_PORTS
    scan, shard = stack.scan(SCAN_ID), stack.shard(SCAN_ID)
    assert (shard.state, shard.outcome) == (ShardState.RECORDED, Outcome.COMPLETE)
    assert (scan.state, scan.outcome, scan.shards_open) == (ScanState.PARSE_COMPLETED, Outcome.COMPLETE, 0)
    recorded_event, completed = stack.heard()
    assert (recorded_event["detail-type"], completed["detail-type"]) == ("FindingsRecorded", "ScanCompleted")
    assert recorded_event["detail"]["findings"] == completed["detail"]["findings"]
    assert completed["detail"]["findings"]["count"] == scan.findings.count == len(list(stack.table.findings(SCAN_ID)))


def test_what_the_express_function_sees_elsewhere_is_kept_under_its_own_vantage_and_what_workers_see_under_theirs(
    stack: Stack, on_report_stored: Function
) -> None:
    express, connect = (
        replace(reported(number), lane=lane) for number, lane in enumerate((Lane.EXPRESS, Lane.CONNECT))
    )
    stack.store(a_scan(shards=2, shards_open=2, express_vantage="express"), express, connect)
    stack.put_report(KEYS[0], report("connect"))
    assert on_report_stored.failed(STORED) == []
    assert stack.table.known_hosts(["127.0.0.1"]) == {}
    assert stack.table.known_hosts(["127.0.0.1"], vantage="express")["127.0.0.1"].is_up
    stack.put_report(KEYS[1], report("connect"))
    assert on_report_stored.failed(sqs_event(object_created(str(KEYS[1])))) == []
    assert stack.table.known_hosts(["127.0.0.1"])["127.0.0.1"].is_up
    vantages = [(event["detail-type"], event["detail"]["vantage"]) for event in stack.heard()]
    assert vantages == [("FindingsRecorded", "express"), ("FindingsRecorded", "default"), ("ScanCompleted", "default")]


def test_a_report_delivered_twice_is_recorded_and_announced_once(stack: Stack, on_report_stored: Function) -> None:
    stack.store(a_scan(), reported())
    stack.put_report(KEYS[0], report("versions"))
    on_report_stored(STORED)
    after_one = stack.items()
    assert on_report_stored.failed(STORED) == []
    assert stack.items() == after_one
    assert stack.heard_names() == ["FindingsRecorded", "ScanCompleted"]


def test_a_report_that_takes_longer_than_the_function_may_run_goes_on_with_the_next_message(
    stack: Stack, on_report_stored: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("on_report_stored.app.MIN_TURN_S", 1.0)
    network = (TargetSlice("10.0.0.0/16", 0, 65_536),)
    stack.store(a_scan(), a_shard(state=ShardState.REPORTED, attempt=1, slices=network, run=a_run(addresses=100)))
    stack.put_report(KEYS[0], b"".join(generated(100, "mixed")))
    (first,) = stack.received("reports")
    messages, turns = [first], 0
    while messages:
        assert on_report_stored.failed({"Records": messages}, remaining_s=2.0) == []
        turns, messages = turns + 1, stack.received("reports")
        assert [message["body"] for message in messages] in ([first["body"]], [])
    assert turns >= 3  # two to read, and one to tell the changes; a slow machine needs one more in between
    scan = stack.scan(SCAN_ID)
    assert (scan.state, scan.findings.count) == (ScanState.PARSE_COMPLETED, len(list(stack.table.findings(SCAN_ID))))
    assert scan.findings.count > 600


def test_a_report_for_which_others_of_its_batch_left_no_time_is_put_off(
    stack: Stack, on_report_stored: Function
) -> None:
    stack.store(a_scan(), reported())
    stack.put_report(KEYS[0], report("connect"))
    (message,) = stack.received("reports")
    assert on_report_stored.failed({"Records": [message]}, remaining_s=MIN_TURN_S - 1) == []
    (again,) = stack.received("reports")
    assert again["body"] == message["body"]
    assert stack.shard(SCAN_ID).state is ShardState.REPORTED
    assert on_report_stored.failed({"Records": [again]}) == []
    assert stack.shard(SCAN_ID).state is ShardState.RECORDED


def test_a_scan_goes_on_until_its_last_report(stack: Stack, on_report_stored: Function) -> None:
    stack.store(a_scan(shards=2, shards_open=2), reported(0), reported(1))
    stack.put_report(KEYS[0], report("connect"))
    stack.put_report(KEYS[1], report("ping"))
    on_report_stored(STORED)
    on_report_stored(STORED)
    assert (stack.scan(SCAN_ID).state, stack.scan(SCAN_ID).shards_open) == (ScanState.SCANNING, 1)
    assert stack.heard_names() == ["FindingsRecorded"]
    on_report_stored(sqs_event(object_created(str(KEYS[1]))))
    assert stack.scan(SCAN_ID).shard_outcomes == {"complete": 2}
    assert stack.heard_names() == ["FindingsRecorded", "ScanCompleted"]


def test_a_delivery_that_broke_off_is_finished_by_the_next_under_the_same_event_ids(
    stack: Stack, on_report_stored: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.store(a_scan(), reported())
    stack.put_report(KEYS[0], report("connect"))
    put = EventBridgeBus.put
    calls: list[int] = []

    def fails_second(bus: EventBridgeBus, events: object) -> None:
        """The findings are announced; the end of the scan is stored, and not announced."""
        calls.append(1)
        if len(calls) == 2:
            raise GatewayUnavailable("the bus is down")
        put(bus, events)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(EventBridgeBus, "put", fails_second)
    assert on_report_stored.failed(STORED) == [STORED["Records"][0]["messageId"]]
    assert (stack.scan(SCAN_ID).state, stack.scan(SCAN_ID).announced) == (ScanState.PARSE_COMPLETED, False)
    assert on_report_stored.failed(STORED) == []
    assert stack.scan(SCAN_ID).announced
    assert stack.heard_names() == ["FindingsRecorded", "ScanCompleted"]


def test_of_a_batch_only_the_message_that_failed_returns(stack: Stack, on_report_stored: Function) -> None:
    stack.store(a_scan(shards=2, shards_open=2), reported(0), reported(1))
    for key in KEYS:
        stack.put_report(key, report("connect"))
    bad = sqs_record(object_created("reports/readme.txt"))
    good = [sqs_record(object_created(str(key))) for key in KEYS]
    assert on_report_stored.failed({"Records": [good[0], bad, good[1]]}) == [bad["messageId"]]
    assert stack.heard_names() == ["FindingsRecorded", "FindingsRecorded", "ScanCompleted"]


def test_a_host_outside_the_functions_scope_is_quarantined_and_counted(
    stack: Stack, cold_start: ColdStart, capsys: pytest.CaptureFixture[str]
) -> None:
    narrower = cold_start("on_report_stored", ALLOWED_TARGETS="10.0.0.0/16")
    stack.store(a_scan(), reported())
    stack.put_report(KEYS[0], report("connect"))
    assert narrower.failed(STORED) == []
    assert list(stack.table.findings(SCAN_ID)) == []
    assert stack.heard_names() == ["HostQuarantined", "FindingsRecorded", "ScanCompleted"]
    (counted,) = [line for line in capsys.readouterr().out.splitlines() if '"HostsQuarantined":[1.0]' in line]
    metric = json.loads(counted)
    assert [set(names) for names in metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"]] == [{"service", "stack"}]
    assert (metric["service"], metric["stack"]) == ("on_report_stored", "mine")  # as the alarm asks for


@pytest.mark.parametrize("key", FOREIGN_KEYS)
def test_a_key_that_nobody_minted_returns_and_its_reason_is_logged(
    stack: Stack, on_report_stored: Function, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    stack.store(a_scan(), reported())
    stack.put_report(key, report("connect"))
    after_storing = stack.items()
    assert len(on_report_stored.failed(sqs_event(object_created(key)))) == 1
    assert "is not a report key" in logged_reason(caplog)
    assert (stack.items(), stack.heard()) == (after_storing, [])


def test_a_report_of_a_scan_that_nobody_asked_for_returns(
    stack: Stack, on_report_stored: Function, caplog: pytest.LogCaptureFixture
) -> None:
    stack.put_report(KEYS[0], report("connect"))
    assert len(on_report_stored.failed(STORED)) == 1
    assert logged_reason(caplog) == f"{KEYS[0]}: nobody planned this shard"
    assert (stack.items(), stack.heard()) == ([], [])


def test_a_report_that_is_gone_returns(
    stack: Stack, on_report_stored: Function, caplog: pytest.LogCaptureFixture
) -> None:
    stack.store(a_scan(), reported())
    assert len(on_report_stored.failed(STORED)) == 1
    assert logged_reason(caplog) == f"there is no report {KEYS[0]}"
    assert stack.scan(SCAN_ID).shards_open == 1


@pytest.mark.parametrize("body", ["", "{}", "[]", json.dumps({"Records": []}), recorded("tick")])
def test_a_message_that_is_not_about_a_stored_object_returns(
    stack: Stack, on_report_stored: Function, caplog: pytest.LogCaptureFixture, body: str | Envelope
) -> None:
    assert len(on_report_stored.failed(sqs_event(body))) == 1
    assert logged_reason(caplog)


def logged_reason(caplog: pytest.LogCaptureFixture) -> str:
    """The reason beside the one message that was rejected."""
    (rejection,) = [record for record in caplog.records if record.getMessage() == "message rejected"]
    return str(vars(rejection)["reason"])
