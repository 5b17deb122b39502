"""A stored report becomes findings once, however often it is delivered and whatever is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable, MalformedMessage
from cascan.events import FindingsRecorded, ReportStored, ScanFailed
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import Lane, NmapRun, ProposedCut, Shard, ShardClosing, ShardCut, ShardState, TargetSlice
from cascan.permissions.scope import Scope
from cascan.recovery.scan_records import read_runs
from cascan.rules.severity import StoredRules
from cascan.rules.severity_form import read_severity_rules
from on_report_stored.record_findings import RecordingOutcome, record_findings
from tests.data.reports import hosts, report
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_run, a_scan, a_shard, a_table, claim, clock, event_names, proven

REAL = "connect"  # one host of real nmap output


@dataclass
class Pipeline:
    """Everything around one reported shard."""

    folder: Path
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    reports: MemoryReportStore = field(default_factory=MemoryReportStore)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    scope: Scope = field(default_factory=lambda: Scope.of(["127.0.0.0/8"]))

    def report(self, xml: bytes, run: NmapRun | None = None, shards: tuple[Shard, ...] = (a_shard(),)) -> None:
        self.table.create_scan(a_scan(shards=len(shards), shards_open=len(shards)))
        self.table.add_shards(shards)
        for shard in shards:
            claim(self.table, shard.number)
            self.table.report_shard(SCAN_ID, shard.number, 1, run or a_run())
            path = self.folder / "report.xml"
            path.write_bytes(xml)
            key = ReportKey(SCAN_ID, shard.number, 1)
            self.reports.put_report(key, path, proven(key))

    def deliver(self, key: str = str(ReportKey(SCAN_ID, 0, 1))) -> RecordingOutcome:
        stored = ReportStored(key=key, bucket="reports", size=1, event_id="e")
        return record_findings(
            stored,
            ScanGateways(self.table, MemoryShardQueues(), self.bus, clock),
            scope=self.scope,
            reports=self.reports,
            results=self.table,
        )


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def test_a_report_becomes_findings_and_inventory_and_ends_its_scan(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL))
    recorded = pipeline.deliver()

    (host,) = hosts(REAL)
    scan, found = pipeline.table.scans[SCAN_ID], list(pipeline.table.findings(SCAN_ID))
    open_ports = [port.number for port in host.ports if port.state == "open"]
    assert sorted(f.attributes["port"] for f in found if f.category == "Open Port") == sorted(open_ports)
    assert {f.parsed_at for f in found} == {NOW}
    assert (scan.state, scan.outcome) == (ScanState.PARSE_COMPLETED, Outcome.COMPLETE)
    assert (scan.findings.count, recorded.findings) == (len(found), len(found))
    assert [seen.port for seen in pipeline.table.hosts_by_address["127.0.0.1"].open_ports] == sorted(open_ports)
    assert event_names(pipeline.bus) == ["FindingsRecorded", "ScanCompleted"]


def test_a_report_delivered_twice_leaves_one_item_per_finding_and_counts_once(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL))
    pipeline.deliver()
    first = (pipeline.table.scans[SCAN_ID], list(pipeline.table.findings(SCAN_ID)), event_names(pipeline.bus))
    pipeline.deliver()
    assert (pipeline.table.scans[SCAN_ID], list(pipeline.table.findings(SCAN_ID)), event_names(pipeline.bus)) == first


def test_findings_are_judged_by_the_operators_rules_and_counted_by_what_they_say(pipeline: Pipeline) -> None:
    rules = read_severity_rules(
        "rules:\n"
        "  - {matches: {anyOf: [{category: Open Port}]}, override: {severity: HIGH}}\n"
        "  - {matches: {anyOf: [{category: Filtered Port}]}, suppress: the deaf one}\n"
        "  - {matches: {anyOf: [{category: Host}]}, accept: {until: 2999-01-01, reason: known}}\n"
    )
    assert pipeline.table.put_severity_rules(StoredRules(version=1, applied_at=NOW, text="", rules=rules))
    pipeline.report(report(REAL))
    pipeline.deliver()
    found = list(pipeline.table.findings(SCAN_ID))
    assert {(f.category, f.severity.value) for f in found} == {
        ("Open Port", "HIGH"),
        ("Filtered Port", "INFORMATIONAL"),
        ("Host", "INFORMATIONAL"),
    }
    assert pipeline.table.scans[SCAN_ID].findings.severities == {"HIGH": 3, "(suppressed)": 1, "(accepted)": 1}
    assert pipeline.table.scans[SCAN_ID].findings.count == len(found) == 5


def test_a_delivery_that_broke_off_before_the_shard_was_closed_is_finished_by_the_next(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL))
    pipeline.bus.down = True
    with pytest.raises(GatewayUnavailable):
        pipeline.deliver()
    assert pipeline.table.scans[SCAN_ID].findings.count == 0
    pipeline.bus.down = False
    pipeline.deliver()
    assert pipeline.table.scans[SCAN_ID].findings.count == len(list(pipeline.table.findings(SCAN_ID)))


def test_the_same_port_in_two_shards_is_one_finding_item(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL), shards=(a_shard(), a_shard(number=1)))
    pipeline.deliver()
    once = list(pipeline.table.findings(SCAN_ID))
    pipeline.deliver(str(ReportKey(SCAN_ID, 1, 1)))
    assert list(pipeline.table.findings(SCAN_ID)) == once


def test_a_finding_carries_the_name_that_the_request_asked_for(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL), a_run(resolved={"db.example": ("127.0.0.1",)}))
    pipeline.deliver()
    locations = {f.location for f in pipeline.table.findings(SCAN_ID) if f.category == "Open Port"}
    assert locations
    assert all(location.startswith("tcp://db.example:") for location in locations)
    assert pipeline.table.hosts_by_address["127.0.0.1"].hostname == "db.example"


def test_findings_recorded_tells_the_counts_of_its_shard(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL))
    pipeline.deliver()
    (event, _) = pipeline.bus.events
    assert isinstance(event, FindingsRecorded)
    assert (event.shard, event.outcome, event.labels) == (0, Outcome.COMPLETE, {"team": "blue"})
    assert event.findings.count == sum(event.findings.severities.values()) == sum(event.findings.categories.values())


def cut_off(table: MemoryScanTable, number: int, cut: ShardCut) -> Shard | None:
    """Report a shard with a proposed cut, and cut it, as an earlier invocation did."""
    table.report_shard(SCAN_ID, number, 1, cut.run, ProposedCut(remaining=cut.remaining, lane=cut.lane))
    return table.cut_shard(SCAN_ID, number, 1, cut)


def test_a_cut_report_keeps_its_whole_hosts_and_is_partial(pipeline: Pipeline) -> None:
    pipeline.report(report("killed"), a_run(addresses=16))
    recorded = pipeline.deliver()
    assert recorded.hosts == len(hosts("killed")) > 0
    scan = pipeline.table.scans[SCAN_ID]
    assert (scan.state, scan.outcome) == (ScanState.PARSE_COMPLETED, Outcome.PARTIAL)
    assert scan.findings.count > 0


@pytest.mark.parametrize(
    ("xml", "sentence"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 this is not XML", "not well-formed"),
        (b"<html><body>502</body></html>", "html"),
        (b"<?xml version='1.0'?>\n<nessus/>", "nessus"),
    ],
)
def test_bytes_that_are_no_report_close_the_shard_and_say_why(pipeline: Pipeline, xml: bytes, sentence: str) -> None:
    pipeline.report(xml)
    assert pipeline.deliver().outcome == "failed"
    scan = pipeline.table.scans[SCAN_ID]
    assert scan.state is ScanState.ERRORED
    assert sentence in scan.error_description
    assert isinstance(pipeline.bus.events[-1], ScanFailed)


def test_a_failed_nmap_ends_the_scan_with_nmaps_own_words(pipeline: Pipeline) -> None:
    pipeline.report(report("bad-ports"), a_run(exit_code=1, stderr="ignored: the report says it"))
    pipeline.deliver()
    scan = pipeline.table.scans[SCAN_ID]
    assert scan.state is ScanState.ERRORED
    assert scan.error_description == "nmap: Ports specified must be between 0 and 65535 inclusive"


@pytest.mark.parametrize(
    "key",
    [
        "reports/x.xml",
        "results/" + SCAN_ID + "/findings.json",
        f"reports/{SCAN_ID}/0/1.xml",
        f"reports/{SCAN_ID}/../1.xml",
    ],
)
def test_a_key_that_the_pipeline_did_not_mint_is_rejected(pipeline: Pipeline, key: str) -> None:
    with pytest.raises(MalformedMessage, match="is not a report key"):
        pipeline.deliver(key)


def test_a_report_of_a_shard_that_nobody_planned_is_rejected_and_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL))
    with pytest.raises(MalformedMessage, match="nobody planned"):
        pipeline.deliver(str(ReportKey(SCAN_ID, 7, 1)))
    assert pipeline.table.shards_by_key[SCAN_ID, 0].state is ShardState.REPORTED
    assert pipeline.bus.events == []


def test_a_report_of_an_attempt_that_nobody_started_is_rejected_and_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL))
    with pytest.raises(MalformedMessage, match="attempt 2 was never started"):
        pipeline.deliver(str(ReportKey(SCAN_ID, 0, 2)))
    assert list(pipeline.table.findings(SCAN_ID)) == []


def test_the_reason_of_a_failed_scan_survives_a_delivery_that_broke_off(pipeline: Pipeline) -> None:
    pipeline.report(report("bad-ports"), a_run(exit_code=1))
    closing = ShardClosing(state=ShardState.FAILED, outcome=Outcome.FAILED, error_description="nmap: bad ports")
    pipeline.table.close_shard(SCAN_ID, 0, closing)  # and then the function died
    pipeline.deliver()
    assert pipeline.table.scans[SCAN_ID].error_description == "nmap: bad ports"


LOOPBACK = TargetSlice("127.0.0.1-3", 0, 3)


class TestShardsThatWereCut:
    """killed.xml holds 127.0.0.1 three times; here it stands for three hosts that were finished before nmap stopped."""

    def cut(self, pipeline: Pipeline, done: int) -> None:
        """A shard of three addresses, of which the first `done` are its own, and the rest is another's."""
        first, *others = report("killed").split(b"<host ")
        xml = first + b"".join(
            b"<host " + host.replace(b'addr="127.0.0.1"', f'addr="127.0.0.{n}"'.encode())
            for n, host in enumerate(others, 1)
        )
        pipeline.table = a_table(a_scan(), a_shard(slices=(LOOPBACK,), addresses=3))
        claim(pipeline.table)
        run = a_run(attempt=1, exit_code=-15, stopped="worker", cut=True, addresses=done)
        halves = [replace(LOOPBACK, stop=done)], [replace(LOOPBACK, start=done)]
        own, rest = (tuple(half) for half in halves)
        cut = ShardCut(run=run, done=own, remaining=rest, lane=Lane.EXPRESS, to=ShardState.QUEUED)
        assert cut_off(pipeline.table, 0, cut)
        path = pipeline.folder / "report.xml"
        path.write_bytes(xml)
        pipeline.reports.put_report(ReportKey(SCAN_ID, 0, 1), path, proven(ReportKey(SCAN_ID, 0, 1)))

    def test_what_was_finished_is_complete_and_the_scan_waits_for_the_rest(self, pipeline: Pipeline) -> None:
        self.cut(pipeline, done=3)
        assert pipeline.deliver().outcome is Outcome.COMPLETE
        scan = pipeline.table.scans[SCAN_ID]
        assert (scan.state, scan.shards, scan.shards_open, scan.hosts_up) == (ScanState.SCANNING, 2, 1, 3)

    def test_hosts_that_the_remainder_asks_again_are_left_to_it_and_not_quarantined(self, pipeline: Pipeline) -> None:
        self.cut(pipeline, done=1)
        recorded = pipeline.deliver()
        assert (recorded.hosts, recorded.quarantined, recorded.outcome) == (1, 0, Outcome.COMPLETE)
        assert event_names(pipeline.bus) == ["FindingsRecorded"]

    def test_they_are_left_to_the_remainder_of_the_remainder_too(self, pipeline: Pipeline) -> None:
        self.cut(pipeline, done=1)
        claim(pipeline.table, 1)
        two, three = (replace(LOOPBACK, start=n, stop=n + 1) for n in (1, 2))
        again = ShardCut(run=a_run(cut=True), done=(two,), remaining=(three,), lane=Lane.EXPRESS, to=ShardState.QUEUED)
        assert cut_off(pipeline.table, 1, again)
        recorded = pipeline.deliver()
        assert (recorded.hosts, recorded.quarantined) == (1, 0)


def test_a_host_that_timed_out_and_is_another_shards_by_now_is_left_to_it(pipeline: Pipeline) -> None:
    pipeline.table = a_table(a_scan(), a_shard(slices=(LOOPBACK,), addresses=3))
    claim(pipeline.table)
    late, others = replace(LOOPBACK, stop=1), replace(LOOPBACK, start=1)
    run, longer = a_run(attempt=1, addresses=1, asked_again=1), ("--host-timeout", "2s")
    cut = ShardCut(run=run, done=(others,), remaining=(late,), lane=Lane.EXPRESS, to=ShardState.QUEUED, longer=longer)
    assert cut_off(pipeline.table, 0, cut)
    path = pipeline.folder / "report.xml"
    path.write_bytes(report("host-timeout"))
    pipeline.reports.put_report(ReportKey(SCAN_ID, 0, 1), path, proven(ReportKey(SCAN_ID, 0, 1)))
    recorded = pipeline.deliver()
    assert (recorded.hosts, recorded.quarantined, recorded.outcome) == (0, 0, Outcome.COMPLETE)
    assert pipeline.table.scans[SCAN_ID].shards_open == 1


def test_the_report_of_an_attempt_that_a_later_one_outdid_is_passed_over(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL), a_run(attempt=1))
    claim(pipeline.table)
    pipeline.table.report_shard(SCAN_ID, 0, 2, a_run(attempt=2))
    assert pipeline.deliver().outcome == "superseded by a later attempt"
    assert pipeline.table.shards_by_key[SCAN_ID, 0].state is ShardState.REPORTED


def test_the_report_of_an_earlier_attempt_is_the_answer_while_the_later_one_runs(pipeline: Pipeline) -> None:
    pipeline.report(report(REAL), a_run(attempt=1))
    claim(pipeline.table)
    assert pipeline.deliver().outcome is Outcome.COMPLETE
    assert not pipeline.table.beat(SCAN_ID, 0, 2, lease_until=NOW)


def test_a_report_without_the_proof_of_its_shard_is_rejected(pipeline: Pipeline) -> None:
    pipeline.report(report("versions"))
    key = ReportKey(SCAN_ID, 0, 1)
    for metadata in ({}, proven(ReportKey(SCAN_ID, 1, 1)), proven(ReportKey(SCAN_ID, 0, 2)), {"proof": "ü"}):
        pipeline.reports.metadata[str(key)] = metadata
        with pytest.raises(MalformedMessage, match="does not have the shard's message"):
            pipeline.deliver()
    assert (list(pipeline.table.findings(SCAN_ID)), pipeline.bus.events) == ([], [])


def test_the_record_of_a_run_is_stored_before_anything_of_its_report(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.report(report("versions"))
    put_findings = pipeline.table.put_findings

    def put(*args: Any) -> None:
        assert pipeline.reports.records_by_key[SCAN_ID, "runs/000000-1.json"]
        put_findings(*args)

    monkeypatch.setattr(pipeline.table, "put_findings", put)
    pipeline.deliver()
    (run,) = read_runs(pipeline.reports, SCAN_ID)
    assert (run.shard.state, run.shard.run, run.rest) == (ShardState.REPORTED, a_run(), None)
