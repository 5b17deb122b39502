"""Record what this version stores and sends: `python -m tests.data.states.record VERSION`. Needs nmap.

The functions run one after the other on moto, each given what the one before left in its queue.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moto import mock_aws

from cascan.aws import clients
from cascan.aws.s3.operator_records import S3OperatorRecords
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.clock import utc_now
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.finding import Severity
from cascan.model.inventory import HostRecord, HostUpdate, PortRecord, Sighting
from cascan.model.recording import Place, Recording
from cascan.recovery.operator_records import record_rule, record_schedule, record_severity_rules
from cascan.rules.severity import Override as SeverityOverride
from cascan.rules.severity import SeverityRule, StoredRules
from tests.data.envelopes.build import sqs_event
from tests.integration.handlers.conftest import POWERTOOLS, Context
from tests.integration.handlers.stack import BUCKET, REGION, TABLE, Stack, build_stack
from tests.support.cascading import rule_document

FOLDER = Path(__file__).parent
FLOW = (
    ("schedules", "on_schedule_due"),
    ("requests", "on_scan_requested"),
    ("express", "on_shard_queued"),
    ("reports", "on_report_stored"),
    ("completions", "on_scan_completed"),
    ("controls", "on_control_requested"),
)
MANY_POINTERS = "network/default/4.0a00/tcp/"  # one for each port of the host with many: all alike
ROUNDS = 3  # a request, its child, and what comes of it
SCHEDULE = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "ScheduledScan",
    "metadata": {"name": "nightly"},
    "spec": {"interval": "24h", "scanSpec": {"scanType": "nmap", "parameters": ["-p22", "8.8.8.8"]}},
}


def record(version: str) -> None:
    with mock_aws(), socket.create_server(("127.0.0.1", 0)) as server:
        stack = build_stack()
        os.environ |= POWERTOOLS | stack.environment()
        messages = _run(stack, server.getsockname()[1])
        folder = FOLDER / version
        folder.mkdir()
        _write(folder / "items.jsonl", map(_plain, _items()))
        _write(folder / "objects.jsonl", _objects())
        _write(folder / "messages.jsonl", messages)


def _run(stack: Stack, port: int) -> list[dict[str, str]]:
    """All messages, by the queue they were in."""
    house = S3OperatorRecords(BUCKET)
    rule = rule_document("probe", parameters=["-Pn", "-n", "-p{{attributes.port}}", "{{$.hostOrIP}}"])
    record_rule(house, DynamoRuleTable(TABLE).put_rule("probe", rule))
    schedules = DynamoScheduleTable(TABLE)
    schedules.put_schedule("nightly", SCHEDULE)
    record_schedule(house, schedules, "nightly")
    _apply_severity(stack)
    record_severity_rules(house, stack.table)
    scanned = {"targets": ["127.0.0.1"], "parameters": ["-n", "-sV", "-p", str(port)], "cascades": {}}
    wide = {"targets": ["10.0.0.0/22"], "parameters": ["-n", "-p", "22"], "maxParallelShards": 1, "name": "wide"}
    held = {"windows": ["Mon-Fri 22:00-06:00 Europe/Berlin"], "activeDeadlineSeconds": 3_600}
    for request in (scanned | {"name": "lan", "idempotencyKey": "k"}, wide | held, {"targets": ["8.8.8.8"]}):
        _send(stack, "requests", request)
    _send(stack, "schedules", {"schedule": "nightly", "dueAt": utc_now().isoformat()})
    messages: list[dict[str, str]] = []
    for _ in range(ROUNDS):
        for queue, name in FLOW:
            function = importlib.import_module(f"{name}.app").handler
            for message in stack.received(queue):
                messages.append({"queue": queue, "body": message["body"]})
                function({"Records": [message]}, Context(name))
    wide_id = next(scan.scan_id for scan in stack.table.list_scans(10) if scan.name == "wide")
    importlib.import_module("on_minute_passed.app").handler({}, Context("on_minute_passed"))
    for control in ({"action": "suspend", "scanId": wide_id}, {"action": "halt", "by": "soc", "reason": "an incident"}):
        messages.append({"queue": "controls", "body": json.dumps(control)})
        importlib.import_module("on_control_requested.app").handler(
            sqs_event(json.dumps(control)), Context("on_control_requested")
        )
    _what_few_runs_reach(stack)
    for queue in ("connect", "raw", "heard"):
        messages += [{"queue": queue, "body": message["body"]} for message in stack.received(queue)]
    return messages


def _apply_severity(stack: Stack) -> None:
    rule = SeverityRule(
        name="louder", any_of=({"category": "Open Port"},), override=SeverityOverride(severity=Severity.LOW)
    )
    stack.table.put_severity_rules(StoredRules(version=1, applied_at=utc_now(), text="rules: []", rules=(rule,)))


def _what_few_runs_reach(stack: Stack) -> None:
    """A report recorded in turns, and a host with more ports than one item holds."""
    source = ReportKey(derive_scan_id("a long report"), 0, 1)
    recording = Recording(place=Place(offset=1_000), turns=1, hosts_read=10, stretches=((0, 1_000),))
    stack.table.store_recording(source, recording, [(0x0A000001, 0x0A000009)], "a writer")
    seen = Sighting(state="open", seen_at=utc_now(), scan_id=source.scan_id)
    at = seen.seen_at
    ports = tuple(
        PortRecord(protocol="tcp", port=number, latest=seen, first_seen=at, last_seen=at) for number in range(1, 1_100)
    )
    record = HostRecord(address="10.0.0.1", revision=1, ports=ports, latest=seen, first_seen=at, last_seen=at)
    stack.table.save_hosts(source, [HostUpdate(record=record, known=None, changes=())])


def _send(stack: Stack, queue: str, body: dict[str, Any]) -> None:
    clients.sqs().send_message(QueueUrl=stack.queue_urls[queue], MessageBody=json.dumps(body))


def _items() -> Iterable[dict[str, Any]]:
    pages = clients.dynamodb().get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
    return sorted(
        (item for page in pages for item in page["Items"]), key=lambda item: (item["pk"]["S"], item["sk"]["S"])
    )


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in item.items()}


def _text(value: dict[str, Any]) -> dict[str, Any]:
    return {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value


def _objects() -> Iterable[dict[str, str]]:
    for page in clients.s3().get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page["Contents"]:
            body = clients.s3().get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
            yield {"key": entry["Key"], "base64": base64.b64encode(body).decode()}


def _write(path: Path, lines: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))


if __name__ == "__main__":
    os.environ["AWS_DEFAULT_REGION"] = REGION
    record(sys.argv[1])
