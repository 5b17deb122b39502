"""on_scan_completed: a completed scan's findings are published as one document, and the scan is Done."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.events import ScanCompleted, ScanSuspended
from cascan.findings import build_findings
from cascan.findings.by_host import group_by_host
from cascan.forms import read_request
from cascan.ids import derive_keyed_scan_id, derive_scan_id, results_key
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from cascan.scans.close import build_end_event
from tests.data.envelopes.build import Envelope, bus_event, sqs_event, sqs_record
from tests.data.reports import hosts
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import BUCKET, TABLE, Stack
from tests.support.builders import NOW, SCAN_ID, a_scan
from tests.support.cascading import rule_document

SENDER = sqs_record("")["attributes"]["SenderId"]
KEY, END = results_key(SCAN_ID, "findings.json"), f"scans/{SCAN_ID}/end.json"
HTML = results_key(SCAN_ID, "report.html")
FINDINGS = sorted(build_findings(hosts("versions")[0], SCAN_ID, NOW, {}), key=lambda finding: finding.id)


@pytest.fixture
def on_scan_completed(cold_start: ColdStart) -> Function:
    return cold_start("on_scan_completed")


def completed_scan(scan_id: str = SCAN_ID) -> Scan:
    return a_scan(
        scan_id=scan_id,
        state=ScanState.PARSE_COMPLETED,
        outcome=Outcome.COMPLETE,
        shards_open=0,
        findings=Counts(count=99),  # summed by shard; the document is counted afresh
        finished_at=NOW,
        announced=True,
    )


def completion(scan: Scan) -> Envelope:
    event = build_end_event(scan)
    assert isinstance(event, ScanCompleted)
    return bus_event(event)


def arrange(stack: Stack) -> Envelope:
    stack.store(completed_scan())
    stack.table.put_findings(SCAN_ID, group_by_host(FINDINGS))
    return sqs_event(completion(completed_scan()))


def test_the_findings_are_published_and_the_scan_is_done(stack: Stack, on_scan_completed: Function) -> None:
    assert on_scan_completed.failed(arrange(stack)) == []
    document = json.loads(stack.read(KEY))
    assert [finding["id"] for finding in document] == [finding.id for finding in FINDINGS]
    assert document[0].keys() >= {"name", "description", "category", "severity", "osi_layer", "location", "attributes"}
    assert clients.s3().head_object(Bucket=BUCKET, Key=KEY)["ContentType"] == "application/json"
    assert (stack.scan(SCAN_ID).state, stack.scan(SCAN_ID).findings.count) == (ScanState.DONE, len(FINDINGS))
    assert FINDINGS[0].id.encode() in stack.read(HTML)


def test_a_completion_delivered_twice_publishes_the_same_document(stack: Stack, on_scan_completed: Function) -> None:
    event = arrange(stack)
    on_scan_completed(event)
    document, after_one = stack.read(KEY), stack.items()
    assert on_scan_completed.failed(event) == []
    assert (stack.read(KEY), stack.items(), stack.heard()) == (document, after_one, [])


def test_a_scan_without_findings_publishes_an_empty_list(stack: Stack, on_scan_completed: Function) -> None:
    stack.store(completed_scan())
    assert on_scan_completed.failed(sqs_event(completion(completed_scan()))) == []
    assert json.loads(stack.read(KEY)) == []
    assert stack.scan(SCAN_ID).state is ScanState.DONE


def test_of_a_batch_only_the_messages_that_failed_return(
    stack: Stack, on_scan_completed: Function, caplog: pytest.LogCaptureFixture
) -> None:
    good = arrange(stack)["Records"][0]
    unknown = sqs_record(completion(completed_scan(derive_scan_id("nobody's"))))
    failed = ScanSuspended(scan_id=SCAN_ID, cause_id="a message", event_id="1", at=NOW, name="lan")
    another, unreadable = sqs_record(bus_event(failed)), sqs_record("<xml/>")
    batch = {"Records": [unknown, another, good, unreadable]}
    assert on_scan_completed.failed(batch) == [item["messageId"] for item in (unknown, another, unreadable)]
    assert (stack.keys(), stack.records()) == ([KEY, HTML], [END])
    reasons = [str(vars(record)["reason"]) for record in caplog.records if record.levelname == "ERROR"]
    assert [reason.split(" ")[0] for reason in reasons] == ["there", "cascan/ScanSuspended", "not"]


def test_a_completed_scan_with_cascades_is_followed_up_once(stack: Stack, on_scan_completed: Function) -> None:
    DynamoRuleTable(TABLE).put_rule(
        "probe", rule_document("probe", parameters=["-Pn", "-p{{attributes.port}}", "{{$.hostOrIP}}"])
    )
    scan = completed_scan()
    assert scan.request
    asking = replace(scan, request=replace(scan.request, cascades={}))
    stack.store(asking)
    stack.table.put_findings(SCAN_ID, group_by_host(FINDINGS))
    event = sqs_event(completion(asking))
    assert on_scan_completed.failed(event) == []
    assert on_scan_completed.failed(event) == []
    (record,) = stack.received("requests")
    request = read_request(record["body"], is_issued=True).request
    assert request.origin
    assert (request.origin.parent_scan, request.origin.hop) == (SCAN_ID, 1)
    assert stack.scan(SCAN_ID).state is ScanState.DONE


def test_a_child_is_planned_under_its_parents_id_for_it_and_another_request_of_its_kind_is_not(
    stack: Stack, on_scan_completed: Function, cold_start: ColdStart
) -> None:
    rule = rule_document("probe", parameters=["-Pn", "-p{{attributes.port}}", "{{$.hostOrIP}}"])
    DynamoRuleTable(TABLE).put_rule("probe", rule)
    scan = completed_scan()
    assert scan.request
    asking = replace(scan, request=replace(scan.request, cascades={}))
    stack.store(asking)
    stack.table.put_findings(SCAN_ID, group_by_host(FINDINGS))
    assert on_scan_completed.failed(sqs_event(completion(asking))) == []
    (record,) = stack.received("requests")
    (child,) = DynamoCascadeTable(TABLE).cascade_children(SCAN_ID)
    forged = sqs_record(record["body"].replace('"hop":1', '"hop":2'))
    assert forged["body"] != record["body"]
    plan = cold_start("on_scan_requested", ALLOWED_TARGETS="127.0.0.0/8, 10.0.0.0/8")
    assert plan.failed({"Records": [forged]}) == []
    assert "origin" in stack.scan(derive_keyed_scan_id(SENDER, child_key(record["body"]))).error_description
    assert plan.failed({"Records": [record]}) == []
    planned = stack.scan(child.scan_id)
    assert (planned.refusals, planned.hop) == ((), 1)
    assert planned.requested_by == record["attributes"]["SenderId"]  # the function's principal


def child_key(body: str) -> str:
    return str(json.loads(body)["idempotencyKey"])
