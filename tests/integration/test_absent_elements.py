"""With the real nmap on loopback: what it leaves out of its report, and what cascan makes of the absence."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import pytest

from cascan.events import ReportStored
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.model.scan import Outcome, Scan
from cascan.model.shard import TargetSlice
from cascan.permissions.scope import Scope
from on_report_stored.record_findings import record_findings
from on_shard_queued.run_shard import run_shard
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import SCAN_ID, a_scan, a_shard, a_table, clock, shard_queued
from tests.support.workers import a_delivery, a_worker

pytestmark = pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
TWO = TargetSlice("127.0.0.1-2", 0, 2)


@dataclass(frozen=True)
class Case:
    """Options, of which some element is absent that other options have; and what that means for the scan."""

    arguments: str
    absent: str
    outcome: Outcome
    hosts_up: int
    reasons: tuple[str, ...] = ()
    told_of_absent: bool = True  # an address without a record is noted as asked, and not up


CASES = [
    Case("-sT -p 1", "no element", Outcome.COMPLETE, 2),
    Case("-sT -p 1 --open", "hosts without an open port, which nmap counts as up", Outcome.COMPLETE, 2),
    Case("-sT -p 1 --open -Pn", "the same, taken for up unasked", Outcome.COMPLETE, 2),
    Case("-sT -p 1 --open -v", "hosts without an open port, also in a verbose report", Outcome.COMPLETE, 2),
    Case("-sT -p 1-3 --exclude-ports 1-2", "ports that were not asked", Outcome.COMPLETE, 2),
    Case("-sT -p 1-100", "ports, which extraports counts", Outcome.COMPLETE, 2),
    Case("-sn", "ports: none was asked", Outcome.COMPLETE, 2),
    Case("-sL", "an answer: nobody was asked", Outcome.COMPLETE, 0),
    Case("-sT -p 1 -v0", "what nmap prints: its report is whole", Outcome.COMPLETE, 2),
    Case("-sT -p 1 --max-hostgroup 1", "nothing: groups are not to be seen in a report", Outcome.COMPLETE, 2),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.arguments)
def test_what_nmap_leaves_out_is_taken_for_what_it_is(case: Case) -> None:
    table, scan = scanned(case.arguments)
    assert (scan.outcome, scan.hosts_up) == (case.outcome, case.hosts_up)
    assert scan.reasons.counts == {}
    assert table.asked_by_interval == {}  # nobody is noted as not up: each address answered, or was not asked


def test_a_scan_that_asked_everybody_and_heard_nothing_says_so() -> None:
    _, scan = scanned("-sn -PS1 --send-ip", exclude=("127.0.0.1", "127.0.0.2"))
    assert (scan.outcome, scan.reasons.counts) == (Outcome.NOTHING_ANSWERED, {"nothing-to-scan": 1})


def scanned(arguments: str, exclude: tuple[str, ...] = ()) -> tuple[MemoryScanTable, Scan]:
    """The table and the scan, once two addresses of loopback were scanned with these options."""
    shard = a_shard(slices=(TWO,), arguments=("-n", *arguments.split()), addresses=2, exclude=exclude)
    table, reports, queues = a_table(a_scan(addresses=2), shard), MemoryReportStore(), MemoryShardQueues()
    worker = a_worker("nmap", table, reports=reports)
    run_shard(shard_queued(), a_delivery(time_limit_s=60), worker=worker)
    stored = ReportStored(key=str(ReportKey(SCAN_ID, 0, 1)), bucket="reports", size=1, event_id="e")
    scope = Scope.of(["127.0.0.0/8"])
    record_findings(
        stored, ScanGateways(table, queues, MemoryEventBus(), clock), scope=scope, reports=reports, results=table
    )
    return table, table.scans[SCAN_ID]
