"""What an operator sees of a scan: JSON lines with its id, and one trace over every hop, down to its cascade."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from cascan.aws import clients
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.ids import derive_scan_id
from cascan.log_context import LOG_CONTEXT_FILTER, clear_log_context
from cascan.model.scan import ScanState
from cascan.model.usage import ScanCost
from edge.logs import build_logger
from tests.data.envelopes.build import object_created, sqs_event
from tests.integration.handlers.conftest import ColdStart
from tests.integration.handlers.stack import TABLE, Stack
from tests.integration.handlers.test_chain import FLOW
from tests.support.cascading import rule_document

SERVICES = [name for _, name in FLOW]
HOSTILE = "x\x1b[2J\u202e\u2028\ud800\n{}"
RULE = rule_document("again", parameters=["-Pn", "-n", "-p{{attributes.port}}", "{{$.hostOrIP}}"])


class Lines(logging.Handler):
    """Every line of every logger of the process, as the functions write it."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = [LOG_CONTEXT_FILTER]
        self.setFormatter(build_logger("lines").registered_formatter)
        self.texts: list[str] = []

    def addFilter(self, _: object) -> None:  # noqa: N802 - Powertools would keep its own lines out
        pass

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    clear_log_context()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """In place of X-Ray's daemon; packets to it wait in its buffer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{udp.getsockname()[1]}")
        monkeypatch.delenv("POWERTOOLS_TRACE_DISABLED", raising=False)
        yield udp


def segments(daemon: socket.socket) -> list[dict[str, Any]]:
    packets = []
    while True:
        try:
            packets.append(daemon.recv(65_536))
        except BlockingIOError:
            return [json.loads(packet.partition(b"\n")[2]) for packet in packets]


def request(stack: Stack, **fields: Any) -> str:
    body = {"name": "mine", "targets": ["127.0.0.1"], "parameters": ["-n", "-p", "1"]} | fields
    answer = clients.sqs().send_message(QueueUrl=stack.queue_urls["requests"], MessageBody=json.dumps(body))
    return derive_scan_id(answer["MessageId"])


def run_flow(stack: Stack, cold_start: ColdStart) -> None:
    for queue, name in FLOW:
        function = cold_start(name)
        for message in stack.received(queue):
            assert function.failed({"Records": [message]}) == []


def test_every_line_of_a_scan_has_its_id_and_its_trace(stack: Stack, cold_start: ColdStart, lines: Lines) -> None:
    scan_id = request(stack)
    run_flow(stack, cold_start)

    documents = lines.documents()
    trace_id = stack.scan(scan_id).trace_id
    assert trace_id
    assert [(line["scan_id"], line["trace_id"]) for line in documents] == [(scan_id, trace_id)] * len(documents)
    assert len(documents) >= len(FLOW)
    for line in documents:
        assert {"level", "timestamp", "message", "message_id"} <= line.keys()
    assert [line.get("shard") for line in documents if line["message"] in ("shard run", "findings recorded")] == [0, 0]


def test_what_a_scan_has_cost_is_stored_and_announced(stack: Stack, cold_start: ColdStart) -> None:
    scan_id = request(stack)
    run_flow(stack, cold_start)

    scan = stack.scan(scan_id)
    assert scan.cost
    assert (scan.usage.attempts, scan.usage.report_bytes > 0, scan.usage.lambda_ms > 0) == (1, True, True)
    assert scan.usage.spot_ms == scan.usage.on_demand_ms == 0
    (completed,) = [each["detail"] for each in stack.heard() if each["detail-type"] == "ScanCompleted"]
    assert msgspec.convert(completed["cost"], ScanCost) == scan.cost


def test_the_context_of_one_message_is_not_that_of_the_next(stack: Stack, cold_start: ColdStart, lines: Lines) -> None:
    scan_id = request(stack)
    (message,) = stack.received("requests")
    unreadable = sqs_event("[]")["Records"][0]
    cold_start("on_scan_requested")({"Records": [message, unreadable]})

    assert [line["scan_id"] for line in lines.documents()] == [scan_id, derive_scan_id(unreadable["messageId"])]


@pytest.mark.parametrize("name", ["on_shard_queued", "on_report_stored", "on_shard_abandoned", "on_control_requested"])
def test_a_line_about_a_message_that_fails_has_the_id_of_its_scan(
    stack: Stack, cold_start: ColdStart, lines: Lines, name: str
) -> None:
    scan_id = "abcdefghijklmnop"
    bodies = {
        "on_report_stored": json.dumps(object_created(f"reports/{scan_id}/000000/1.xml")),
        "on_control_requested": json.dumps({"action": "cancel", "scanId": scan_id}),
    }
    shard = json.dumps({"scan_id": scan_id, "cause_id": "c", "shard": 0})
    cold_start(name)(sqs_event(bodies.get(name, shard)))

    assert [line["scan_id"] for line in lines.documents()] == [scan_id]


def test_text_of_a_request_is_escaped_in_the_log(stack: Stack, cold_start: ColdStart, lines: Lines) -> None:
    cold_start("on_scan_requested")(sqs_event(json.dumps({"targets": [HOSTILE], "name": HOSTILE})))

    assert lines.texts
    for text in lines.texts:
        assert text.isascii()
        assert text.isprintable()


def test_a_request_and_its_cascade_are_one_trace(
    stack: Stack, cold_start: ColdStart, daemon: socket.socket, lines: Lines
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        DynamoRuleTable(TABLE).put_rule("again", RULE)
        scan_id = request(stack, parameters=["-n", "-p", port], cascades={})
        run_flow(stack, cold_start)
        run_flow(stack, cold_start)

    scans = list(stack.table.list_scans(10))
    (child_id,) = [scan.scan_id for scan in scans if scan.scan_id != scan_id]
    assert {scan.state for scan in scans} == {ScanState.DONE}
    assert len({scan.trace_id for scan in scans}) == 1
    sent = segments(daemon)
    assert {segment["trace_id"] for segment in sent} == {scans[0].trace_id}
    steps = [(segment["name"], segment["annotations"]["scan_id"]) for segment in sent]
    assert steps == [(name, each) for each in (scan_id, child_id) for name in SERVICES]
    by_id = {segment["id"]: segment for segment in sent}
    root = next(segment for segment in sent if "parent_id" not in segment)
    assert (root["name"], root["annotations"]["scan_id"]) == ("on_scan_requested", scan_id)
    assert all(segment["parent_id"] in by_id for segment in sent if segment is not root)
