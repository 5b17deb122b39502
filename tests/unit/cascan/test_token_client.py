"""DynamoDB and SQS called with a token, as on a local stack."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from cascan.aws import clients
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.token_client import TOKEN_HEADER
from cascan.errors import GatewayUnavailable

TOKEN = "the-secret-of-the-stack"
REFUSED = {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "there is no such queue"}


class Service(HTTPServer):
    """Answers each call with the next of `answers`, and keeps the calls."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        service: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers[TOKEN_HEADER] == TOKEN
        service.calls.append((self.headers["X-Amz-Target"], body))
        status, answer = service.answers.pop(0)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(clients, "_token_endpoints", [])
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        clients.use_token(f"http://127.0.0.1:{server.server_port}", TOKEN)
        yield server
        clients.sqs().close()
        clients.dynamodb().close()
        clients.forget()
        server.shutdown()
        thread.join()


def test_a_message_is_sent_with_the_token(service: Service) -> None:
    service.answers = [(200, {"MessageId": "an-id"})]
    assert SqsRequestQueue("http://queue").send("body") == "an-id"
    expected = {"QueueUrl": "http://queue", "MessageBody": "body", "DelaySeconds": 0}
    assert service.calls == [("AmazonSQS.SendMessage", expected)]


def test_an_item_is_read_with_the_token(service: Service) -> None:
    service.answers = [(200, {})]
    assert DynamoScanTable("scans").get_scan("a-scan") is None
    ((target, request),) = service.calls
    assert target == "DynamoDB_20120810.GetItem"
    assert request["TableName"] == "scans"


def test_a_refusal_is_the_same_error_as_of_boto3(service: Service) -> None:
    service.answers = [(400, REFUSED)]
    with pytest.raises(GatewayUnavailable, match=r"QueueDoesNotExist.*there is no such queue"):
        SqsRequestQueue("http://queue").send("body")


def test_the_gateways_of_a_command_load_no_aws_library() -> None:
    modules = "cascan.aws.tables.scan_table, cascan.aws.sqs.request_queue, cascan.aws.clients"
    code = f"import {modules}, sys; print(sorted({{'boto3', 'botocore.session', 'botocore.auth'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
