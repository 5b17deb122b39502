"""What an earlier version stored, read by this one: an upgrade announces nothing that the network did not do."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from cascan.aws import clients
from cascan.aws.tables import items
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.shard import ShardState, TargetSlice
from tests.data.envelopes.build import object_created, sqs_event
from tests.data.reports import report
from tests.integration.handlers.conftest import ColdStart
from tests.integration.handlers.stack import RETURNED_ARN, TABLE, Stack
from tests.support.builders import NOW, SCAN_ID, a_run, a_scan, a_shard, shard_queued

STORED = Path(__file__).parents[2] / "data" / "stored" / "http-in-tls.json"
NEXT = derive_scan_id("the scan after the upgrade")
ADDRESS = "10.50.0.2"


def test_a_report_recorded_again_after_an_upgrade_announces_no_change(stack: Stack, cold_start: ColdStart) -> None:
    for item in json.loads(STORED.read_text()):
        clients.dynamodb().put_item(TableName=TABLE, Item=item)
    a_day_later = NOW + timedelta(days=1)
    shard = a_shard(
        scan_id=NEXT,
        state=ShardState.REPORTED,
        attempt=1,
        run=a_run(started_at=a_day_later, finished_at=a_day_later),
        slices=(TargetSlice(ADDRESS, 0, 1),),
        arguments=("-n", "-sV", "-p", "80,443"),
    )
    stack.store(a_scan(scan_id=NEXT), shard)
    key = ReportKey(NEXT, 0, 1)
    stack.put_report(key, report("oddities/http-in-tls"))
    function = cold_start("on_report_stored", ALLOWED_TARGETS="10.50.0.0/16")
    assert function.failed(sqs_event(object_created(str(key)))) == []
    host = stack.table.known_hosts([ADDRESS])[ADDRESS]
    assert host.latest.scan_id == NEXT, "the second scan was not recorded"
    assert [change.kind for change in stack.table.changes(NEXT, 0)] == []
    assert {port.port: port.latest.service for port in host.ports} == {80: "http", 443: "https"}


def test_a_scan_that_an_earlier_version_accepted_goes_on_where_a_worker_may_not_reach_its_shards(
    stack: Stack, cold_start: ColdStart
) -> None:
    scan = a_scan(shard_secret="")
    stack.table.create_scan(scan)
    item = items.shard_item(a_shard(arguments=("-n", "-p", "1")), items.earlier_shard_key(SCAN_ID, 0))
    clients.dynamodb().put_item(TableName=TABLE, Item=item)
    key = items.scan_key(SCAN_ID)
    clients.dynamodb().update_item(TableName=TABLE, Key=key, UpdateExpression="REMOVE layout, shard_secret")
    worker, function = cold_start("on_shard_queued"), cold_start("on_shard_abandoned")
    assert worker.failed(sqs_event(shard_queued(token="").to_wire())) == []  # it hands it over
    returned = [record | {"eventSourceARN": RETURNED_ARN} for record in stack.received("returned")]
    assert function.failed({"Records": returned}) == []
    assert worker.failed({"Records": stack.received("express")}) == []
    assert cold_start("on_report_stored").failed({"Records": stack.received("reports")}) == []
    assert stack.shard(SCAN_ID).state is ShardState.RECORDED
    assert stack.scan(SCAN_ID).shards_open == 0
