"""on_vuls_results_stored: results in the bucket become requests, and the end of their scans the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cascan.aws import clients
from cascan.ids import ReportKey, derive_scan_id, digest_body
from cascan.model.request import ScanRequest
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardState
from cascan.scans.close import build_end_event
from tests.data.envelopes.build import bus_event, object_created, sqs_event
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import BUCKET, Stack
from tests.support import vuls_report
from tests.support.builders import NOW, a_run, a_scan, a_shard

RESULTS = Path(__file__).parents[2] / "data" / "vuls" / "old.json"
REPORT = b"""<?xml version="1.0"?><nmaprun scanner="nmap"><host><status state="up" reason="user-set"/>
<address addr="10.0.0.9" addrtype="ipv4"/><ports><port protocol="tcp" portid="143"><state state="open"/></port>
<port protocol="tcp" portid="993"><state state="closed"/></port></ports></host></nmaprun>"""


@pytest.fixture
def on_vuls_results_stored(cold_start: ColdStart) -> Function:
    return cold_start("on_vuls_results_stored")


def put(key: str, data: bytes) -> None:
    clients.s3().put_object(Bucket=BUCKET, Key=key, Body=data)


def test_results_are_asked_and_answered(stack: Stack, on_vuls_results_stored: Function) -> None:
    put("vuls/results/config.toml", b'[servers.old]\nhost = "10.0.0.9"\n')
    put("vuls/results/run/old.json", RESULTS.read_bytes())
    assert on_vuls_results_stored.failed(sqs_event(object_created("vuls/results/run/old.json"))) == []
    (request,) = [record["body"] for record in stack.received("requests")]
    labels = json.loads(request)["labels"]
    assert json.loads(request)["targets"] == ["10.0.0.9:143,993"]

    scan = a_scan(
        scan_id=derive_scan_id("m"),
        request=ScanRequest(targets=("10.0.0.9",), labels=labels),
        request_digest=digest_body(request),
        state=ScanState.PARSE_COMPLETED,
        outcome=Outcome.COMPLETE,
        shards_open=0,
        finished_at=NOW,
    )
    stack.store(scan, a_shard(scan_id=scan.scan_id, state=ShardState.RECORDED, attempt=1, run=a_run()))
    stack.put_report(ReportKey(scan.scan_id, 0, 1), REPORT)
    event = build_end_event(scan)
    assert event is not None
    assert on_vuls_results_stored.failed(sqs_event(bus_event(event))) == []
    copy = json.loads(stack.read("vuls/answers/run/old.json"))
    assert vuls_report.show_processes(copy)[0].startswith("dovecot 11 imap-login: *:143(◉ Scannable: [10.0.0.9])")
    assert json.loads(stack.read("vuls/summaries/run/old.json"))["state"] == "done"


def test_results_without_a_configuration_are_refused_and_not_retried(
    stack: Stack, on_vuls_results_stored: Function
) -> None:
    put("vuls/results/run/old.json", RESULTS.read_bytes())
    assert on_vuls_results_stored.failed(sqs_event(object_created("vuls/results/run/old.json"))) == []
    summary = json.loads(stack.read("vuls/summaries/run/old.json"))
    assert (summary["state"], "config.toml" in summary["reasons"][0]) == ("refused", True)
    assert stack.received("requests") == []
