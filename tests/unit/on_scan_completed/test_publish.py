"""A completed scan's findings become one document, however often it is asked for."""

from __future__ import annotations

import io
import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it has no types of its own
import pytest

from cascan.clock import to_wire
from cascan.errors import MalformedMessage
from cascan.events import ScanCompleted
from cascan.findings import build_findings
from cascan.findings.by_host import group_by_host
from cascan.ids import ReportKey
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import ShardState
from cascan.nmap.report.read import read_report
from cascan.rules.severity import RuleSet, SeverityRule
from cascan.rules.severity_form import read_severity_rules
from cascan.scans.close import build_end_event
from on_scan_completed.publish import PublishedResults, publish, publish_html
from tests.data.reports import report
from tests.fakes import MemoryReportStore, MemoryScanTable
from tests.fakes.cascades import MemoryCascadeTable
from tests.support.builders import NOW, SCAN_ID, a_run, a_scan, a_shard, a_table

SCHEMA = Path(__file__).parents[2] / "data" / "securecodebox" / "findings-schema.json"
COMPLETED = a_scan(state=ScanState.PARSE_COMPLETED, outcome=Outcome.COMPLETE, shards_open=0, finished_at=NOW)


def completed(scan: Scan = COMPLETED) -> ScanCompleted:
    event = build_end_event(scan)
    assert isinstance(event, ScanCompleted)
    return event


def table_with_findings(scan: Scan = COMPLETED) -> MemoryScanTable:
    table = a_table(scan)
    for host in read_report(io.BytesIO(report("versions"))):
        table.put_findings(SCAN_ID, group_by_host(build_findings(host, SCAN_ID, NOW)))
    return table


def run(table: MemoryScanTable, reports: MemoryReportStore) -> PublishedResults:
    return publish(completed(), table=table, reports=reports)


def test_every_finding_is_published_in_secure_code_boxs_format_and_the_scan_is_done() -> None:
    table, reports = table_with_findings(), MemoryReportStore()
    published = run(table, reports)

    document = json.loads(reports.objects[published.key])
    assert published.key == f"results/{SCAN_ID}/findings.json"
    assert reports.content_types[published.key] == "application/json"
    assert [finding["id"] for finding in document] == [finding.id for finding in table.findings(SCAN_ID)]
    required = {"id", "parsed_at", "severity", "category", "name", "location", "osi_layer", "description", "attributes"}
    assert all(required <= finding.keys() for finding in document)
    assert table.scans[SCAN_ID].state is ScanState.DONE
    assert table.scans[SCAN_ID].findings.count == len(document) > 1


def test_c3_what_is_published_validates_against_secure_code_boxs_findings_schema() -> None:
    table, reports = table_with_findings(), MemoryReportStore()
    override = {"ticket": "123", "mitigation": "none"}
    text = json.dumps({"rules": [{"matches": {"anyOf": [{"category": "Host"}]}, "override": override}]})
    rule_set = RuleSet(read_severity_rules(text))
    for host in read_report(io.BytesIO(report("versions"))):
        table.put_findings(SCAN_ID, group_by_host(map(rule_set.apply, build_findings(host, SCAN_ID, NOW))))
    document = json.loads(reports.objects[run(table, reports).key])
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())
    scan = {"created_at": to_wire(NOW), "name": "lan", "namespace": "default", "scan_type": "nmap"}
    assert [finding["scan"] for finding in document] == [scan] * len(document)
    assert [finding["ticket"] for finding in document if finding["category"] == "Host"] == ["123"]
    assert all("added" not in finding for finding in document)
    for name in ("scan", "id", "severity"):
        broken = [{key: value for key, value in document[0].items() if key != name}]
        with pytest.raises(jsonschema.ValidationError, match=f"'{name}' is a required property"):
            jsonschema.validate(broken, schema)


def test_publishing_twice_writes_the_same_document() -> None:
    table, reports = table_with_findings(), MemoryReportStore()
    key = run(table, reports).key
    first = reports.objects[key]
    run(table, reports)
    assert reports.objects[key] == first
    assert table.scans[SCAN_ID].state is ScanState.DONE


def test_the_reports_of_its_shards_are_published_as_one() -> None:
    shards = [a_shard(number=number, attempt=1, state=ShardState.RECORDED, run=a_run()) for number in range(2)]
    table, reports = a_table(COMPLETED, *shards), MemoryReportStore()
    for number in range(2):
        reports.objects[str(ReportKey(SCAN_ID, number, 1))] = report("versions")
    assert run(table, reports).reports == 2
    key = f"results/{SCAN_ID}/nmap.xml"
    assert reports.content_types[key] == "application/xml"
    merged = read_report(io.BytesIO(reports.objects[key]))
    assert (len(list(merged)), merged.exit) == (2, "success")


def test_a_scan_without_reports_publishes_no_merged_one() -> None:
    table, reports = table_with_findings(), MemoryReportStore()
    assert run(table, reports).reports == 0
    assert list(reports.objects) == [f"results/{SCAN_ID}/findings.json"]


def test_a_scan_without_findings_publishes_an_empty_list() -> None:
    table, reports = a_table(COMPLETED), MemoryReportStore()
    assert json.loads(reports.objects[run(table, reports).key]) == []


def test_a_crash_before_the_scan_was_done_is_made_good_by_the_next_delivery() -> None:
    table, reports = table_with_findings(a_scan(state=ScanState.HOOK_PROCESSING, shards_open=0)), MemoryReportStore()
    run(table, reports)
    assert table.scans[SCAN_ID].state is ScanState.DONE


def test_a_cancelled_scan_is_not_called_done() -> None:
    table, reports = table_with_findings(a_scan(state=ScanState.CANCELLED, shards_open=0)), MemoryReportStore()
    run(table, reports)
    assert table.scans[SCAN_ID].state is ScanState.CANCELLED


def test_the_completion_of_no_scan_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="there is no scan"):
        run(MemoryScanTable(), MemoryReportStore())


def test_findings_that_a_rule_suppressed_are_published_and_counted_apart() -> None:
    table, reports = table_with_findings(), MemoryReportStore()
    every = list(table.findings(SCAN_ID))
    rule_set = RuleSet([SeverityRule(name="r", any_of=({"category": "Open Port"},), suppress="noise")])
    table.put_findings(SCAN_ID, group_by_host(map(rule_set.apply, every)))
    published = run(table, reports)

    counts = table.scans[SCAN_ID].findings
    ports = [finding for finding in every if finding.category == "Open Port"]
    assert counts.severities["(suppressed)"] == counts.categories["Open Port"] == len(ports) > 0
    assert counts.count == published.findings == len(json.loads(reports.objects[published.key])) == len(every)


def store_html(table: MemoryScanTable, reports: MemoryReportStore) -> bool:
    return publish_html(SCAN_ID, table=table, cascades=MemoryCascadeTable(), reports=reports, clock=lambda: NOW)


def test_the_html_report_is_stored_beside_the_findings_of_a_scan_that_is_done() -> None:
    table, reports = table_with_findings(), MemoryReportStore()
    assert not store_html(table, reports)  # it is not Done
    run(table, reports)
    assert store_html(table, reports)
    key = f"results/{SCAN_ID}/report.html"
    assert reports.content_types[key] == "text/html; charset=utf-8"
    assert reports.objects[key].startswith(b"<!DOCTYPE html>")


def test_no_html_report_is_stored_of_a_scan_with_too_many_findings_or_of_one_that_was_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, reports = table_with_findings(), MemoryReportStore()
    run(table, reports)
    monkeypatch.setattr("on_scan_completed.publish.MAX_STORED_REPORT_FINDINGS", 1)
    assert not store_html(table, reports)
    assert not store_html(MemoryScanTable(), reports)
    assert f"results/{SCAN_ID}/report.html" not in reports.objects
