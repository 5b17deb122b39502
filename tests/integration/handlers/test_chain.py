"""The whole flow, hand to hand: what one function leaves in a queue is given to the next, as Lambda would."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from cascan.aws import clients
from cascan.ids import derive_scan_id, results_key
from cascan.model.scan import Outcome, ScanState
from tests.data.envelopes.build import sqs_event
from tests.integration.handlers.conftest import ColdStart
from tests.integration.handlers.stack import Stack
from tests.support.builders import SCAN_ID, a_scan, a_shard, shard_queued

FLOW = (  # queue → the function behind it, in flow order
    ("requests", "on_scan_requested"),
    ("express", "on_shard_queued"),
    ("reports", "on_report_stored"),
    ("completions", "on_scan_completed"),
)


@pytest.fixture
def port() -> Iterator[int]:
    """An open port on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def request(stack: Stack, *parameters: str) -> str:
    """Send a request for 127.0.0.1; the id its scan will have."""
    body = {"name": "this-machine", "targets": ["127.0.0.1"], "parameters": ["-n", *parameters]}
    answer = clients.sqs().send_message(QueueUrl=stack.queue_urls["requests"], MessageBody=json.dumps(body))
    return derive_scan_id(answer["MessageId"])


def run(stack: Stack, cold_start: ColdStart, times: int) -> None:
    """Hand every message of each queue on, in flow order, each of them so many times."""
    for queue, name in FLOW:
        function, messages = cold_start(name), stack.received(queue)
        assert messages, f"nothing waits in {queue}"
        for message in messages:
            assert function.failed({"Records": [message]}) == []
        for message in messages * (times - 1):
            function({"Records": [message]})


@pytest.mark.parametrize("times", [1, 2], ids=["delivered once", "each message delivered twice"])
def test_a_request_ends_as_published_findings(stack: Stack, cold_start: ColdStart, port: int, times: int) -> None:
    scan_id = request(stack, "-p", str(port))
    run(stack, cold_start, times)
    scan = stack.scan(scan_id)
    assert (scan.state, scan.outcome, scan.hosts_up) == (ScanState.DONE, Outcome.COMPLETE, 1)
    findings = json.loads(stack.read(results_key(scan_id, "findings.json")))
    assert [finding["attributes"]["port"] for finding in findings if finding["category"] == "Open Port"] == [port]
    assert scan.findings.count == len(findings)
    heard = stack.heard()
    assert [envelope["detail-type"] for envelope in heard] == ["ScanPlanned", "FindingsRecorded", "ScanCompleted"]
    assert {envelope["detail"]["scan_id"] for envelope in heard} == {scan_id}
    assert all(stack.received(queue) == [] for queue, _ in FLOW)


def test_an_event_says_which_message_or_event_led_to_it(stack: Stack, cold_start: ColdStart, port: int) -> None:
    request(stack, "-p", str(port))
    (message,) = stack.received("requests")
    cold_start("on_scan_requested")({"Records": [message]})
    (shard,) = stack.received("express")
    cold_start("on_shard_queued")({"Records": [shard]})
    (stored,) = stack.received("reports")
    cold_start("on_report_stored")({"Records": [stored]})
    planned, recorded, completed = (envelope["detail"] for envelope in stack.heard())
    assert planned["cause_id"] == completed["cause_id"] == message["messageId"]
    assert json.loads(shard["body"])["cause_id"] == planned["event_id"]
    assert recorded["cause_id"] == json.loads(stored["body"])["id"]


def test_an_nmap_that_refuses_its_ports_ends_the_scan_errored_with_its_own_message(
    stack: Stack, cold_start: ColdStart
) -> None:
    stack.store(a_scan(), a_shard(arguments=("-n", "-p", "99999")))  # a request for it would have been refused
    message = shard_queued().to_wire()
    assert cold_start("on_shard_queued").failed(sqs_event(message)) == []
    assert cold_start("on_report_stored").failed({"Records": stack.received("reports")}) == []
    scan = stack.scan(SCAN_ID)
    assert (scan.state, scan.outcome) == (ScanState.ERRORED, Outcome.FAILED)
    assert scan.error_description == "nmap: Ports specified must be between 0 and 65535 inclusive"
    recorded, failed = stack.heard()
    assert recorded["detail"]["outcome"] == "failed"
    assert (failed["detail-type"], failed["detail"]["reason"]) == ("ScanFailed", scan.error_description)
