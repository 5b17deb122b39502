"""With the real nmap: a host that ran into --host-timeout is a shard of its own, is given longer, and is found."""

from __future__ import annotations

import shutil
from io import BytesIO

import pytest

from cascan.events import ReportStored
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardState, TargetSlice
from cascan.nmap.report.read import read_report
from cascan.permissions.scope import Scope
from cascan.scans.merged_report import open_merged_report
from on_report_stored.record_findings import record_findings
from on_shard_queued.run_shard import run_shard
from tests.data.services import services
from tests.fakes import FixedResolver, MemoryEventBus, MemoryReportStore, MemoryShardQueues
from tests.support.builders import SCAN_ID, a_scan, a_shard, a_table, clock, shard_queued
from tests.support.workers import a_delivery, a_worker

pytestmark = pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
SCOPE = Scope.of(["127.0.0.0/8"])
SLOW = ("-n", "-sT", "--scan-delay", "100ms", "--host-timeout", "5s")  # 52 ports take 5.1 s at least


def test_a_host_that_timed_out_is_asked_once_more_with_twice_the_time_and_its_scan_is_complete() -> None:
    with services() as ports:
        asked = ",".join(str(port) for port in [ports["http"], *range(1, 52)])
        shard = a_shard(arguments=(*SLOW, "-p", asked), retry_timed_out=True)
        table, reports, queues, bus = (
            a_table(a_scan(), shard),
            MemoryReportStore(),
            MemoryShardQueues(),
            MemoryEventBus(),
        )
        worker = a_worker("nmap", table, reports=reports, resolver=FixedResolver({}))
        for number in (0, 1):
            message = shard_queued(number)
            run_shard(message, a_delivery(f"message {number}", time_limit_s=60), worker=worker)
            stored = ReportStored(key=str(ReportKey(SCAN_ID, number, 1)), bucket="reports", size=1, event_id="e")
            record_findings(
                stored, ScanGateways(table, queues, bus, clock), scope=SCOPE, reports=reports, results=table
            )
    first, again = table.shards(SCAN_ID)
    assert first.run
    assert (first.state, first.slices, first.run.asked_again) == (ShardState.RECORDED, (), 1)
    assert b'timedout="true"' in reports.objects[f"reports/{SCAN_ID}/000000/1.xml"]
    assert again.slices == (TargetSlice("127.0.0.1", 0, 1),)
    assert (again.outcome, again.arguments[-2:]) == (Outcome.COMPLETE, ("--host-timeout", "10000ms"))
    scan = table.scans[SCAN_ID]
    assert (scan.state, scan.outcome, scan.hosts_up) == (ScanState.PARSE_COMPLETED, Outcome.COMPLETE, 1)
    (seen,) = read_report(BytesIO(b"".join(open_merged_report(SCAN_ID, table=table, reports=reports).chunks)))
    assert (seen.timed_out, ports["http"] in {port.number for port in seen.ports}) == (False, True)
    assert f"tcp://127.0.0.1:{ports['http']}" in {finding.location for finding in table.findings(SCAN_ID)}
