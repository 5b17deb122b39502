"""Formats with a schema: a thousand varied findings are valid by what each format prescribes."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from markdown_it import MarkdownIt
from msgspec.structs import replace
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from sarif_kit import validation_errors

from cascan.formats.facts import find_place
from cascan.formats.markdown import COLUMNS
from cascan.formats.ocsf import find_class
from cascan.formats.records import VIOLATION, Record, Status
from cascan.formats.registry import FORMATS, render_records
from cascan.model.finding import Severity
from tests.support.defectdojo import read_import
from tests.support.elastic import Index
from tests.support.varied_findings import COUNT, EXPORT, list_varied_records

RECORDS = list_varied_records()
OCSF_CLASSES = {
    5001: "inventory_info",
    2002: "vulnerability_finding",
    2003: "compliance_finding",
    2004: "detection_finding",
}
IDENTIFIED = ("sarif", "defectdojo", "ocsf", "cyclonedx", "elastic")


@cache
def render(name: str) -> bytes:
    return b"".join(render_records(name, RECORDS, EXPORT))


def violation(number: int) -> Record:
    record = RECORDS[number]
    return replace(record, change="", finding=replace(record.finding, category=VIOLATION))


class TestSarif:
    def test_the_log_is_valid_and_has_a_result_for_each_finding(self) -> None:
        log = json.loads(render("sarif"))
        assert validation_errors(log) == []
        (run,) = log["runs"]
        assert len(run["results"]) == COUNT
        assert {result["ruleId"] for result in run["results"]} == {
            rule["id"] for rule in run["tool"]["driver"]["rules"]
        }

    def test_a_log_without_results_is_valid(self) -> None:
        assert validation_errors(json.loads(b"".join(render_records("sarif", [], EXPORT)))) == []

    def test_the_validator_refuses_what_is_wrong(self) -> None:
        log = json.loads(render("sarif"))
        log["runs"][0]["results"] = [log["runs"][0]["results"][0] | {"level": "severe"}]
        assert validation_errors(log)

    def test_what_an_operator_accepted_is_suppressed_and_what_closed_is_absent(self) -> None:
        results = json.loads(render("sarif"))["runs"][0]["results"]
        for result, record in zip(results, RECORDS, strict=True):
            assert ("suppressions" in result) is (record.status is Status.SUPPRESSED)
            assert (result.get("baselineState") == "absent") is (record.status is Status.GONE)


@cache
def ocsf_validator(class_name: str, version: str = "1.6.0") -> Any:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version)).get_class_schema(class_name)
    return Draft202012Validator(schema)


class TestOcsf:
    def test_every_event_is_valid_by_the_schema_of_its_class(self) -> None:
        records = (*RECORDS, *map(violation, range(0, COUNT, 50)))
        events = list(map(json.loads, b"".join(render_records("ocsf", records, EXPORT)).splitlines()))
        for event in events:
            errors = list(ocsf_validator(OCSF_CLASSES[event["class_uid"]]).iter_errors(event))
            assert [error.message for error in errors] == []
        assert Counter(event["class_uid"] for event in events).keys() == OCSF_CLASSES.keys()

    def test_the_validator_refuses_an_unknown_field_and_open_ports_before_version_1_6(self) -> None:
        events = (e for e in map(json.loads, render("ocsf").splitlines()) if e["class_uid"] == 5001)
        event = next(e for e in events if "network_interfaces" in e["device"])
        assert list(ocsf_validator("inventory_info").iter_errors(event | {"extra": 1}))
        messages = " ".join(error.message for error in ocsf_validator("inventory_info", "1.5.0").iter_errors(event))
        assert "open_ports" in messages

    def test_a_host_is_one_event_with_its_open_ports_and_every_other_finding_is_one_event(self) -> None:
        records = [replace(record, change="", status=Status.OPEN, vantage="default") for record in RECORDS[:200]]
        events = list(map(json.loads, b"".join(render_records("ocsf", records, EXPORT)).splitlines()))
        ports = sum(
            len(interface["open_ports"])
            for event in events
            for interface in event.get("device", {}).get("network_interfaces", [])
        )
        runs = [r for r in records if find_class(r) == 5001]
        hosts = [a for a, b in zip(runs, [None, *runs], strict=False) if b is None or place(a) != place(b)]
        counts = Counter(event["class_uid"] for event in events)
        assert counts[5001] == len(hosts)
        assert counts.total() - counts[5001] == len(records) - len(runs)
        assert ports > 20


def place(record: Record) -> str:
    return find_place(record.finding).host


class TestDefectDojo:
    def test_every_finding_has_known_fields_of_the_right_type(self) -> None:
        findings = read_import(render("defectdojo"))
        assert len(findings) == COUNT
        assert Counter(finding["severity"] for finding in findings).keys() == {"Info", "Low", "Medium", "High"}

    def test_what_is_gone_is_mitigated_and_what_was_accepted_is_a_risk_that_is_accepted(self) -> None:
        for finding, record in zip(read_import(render("defectdojo")), RECORDS, strict=True):
            assert finding["active"] is (record.status is Status.OPEN)
            assert finding.get("is_mitigated", False) is (record.status is Status.GONE)
            assert finding.get("risk_accepted", False) is (record.status is Status.SUPPRESSED)
            assert ("not-covered" in finding["tags"]) is not record.is_covered


class TestCycloneDx:
    def test_the_document_is_valid_and_every_reference_leads_somewhere(self) -> None:
        text = render("cyclonedx").decode()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        bom = json.loads(text)
        elements = [*bom["components"], *bom["services"], *bom["vulnerabilities"], *bom["annotations"]]
        refs = Counter(element["bom-ref"] for element in elements)
        assert refs.most_common(1)[0][1] == 1
        used = {ref for entry in bom["dependencies"] for ref in (entry["ref"], *entry["dependsOn"])}
        used |= {affected["ref"] for entry in bom["vulnerabilities"] for affected in entry["affects"]}
        used |= {subject for entry in bom["annotations"] for subject in entry["subjects"]}
        assert used <= refs.keys()
        endpoints = [urlsplit(uri) for service in bom["services"] for uri in service["endpoints"]]
        assert all(endpoint.port is not None and endpoint.hostname for endpoint in endpoints)
        assert min(map(len, (bom["services"], bom["vulnerabilities"], bom["annotations"]))) > 20

    def test_the_validator_refuses_what_is_wrong(self) -> None:
        bom = json.loads(render("cyclonedx"))
        bom["components"] = [bom["components"][0] | {"type": "toaster"}]
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom))

    def test_a_document_of_nothing_is_valid(self) -> None:
        text = b"".join(render_records("cyclonedx", [], EXPORT)).decode()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None

    def test_a_host_is_a_device_with_its_services_and_their_software(self) -> None:
        record = next(
            record
            for record in map(be_current, RECORDS)
            if record.finding.attributes.get("cpe") and record.finding.category == "Open Port"
        )
        place = find_place(record.finding)
        bom = json.loads(b"".join(render_records("cyclonedx", [record, record], EXPORT)))
        device, software = bom["components"]
        (service,) = bom["services"]
        assert (device["type"], device["name"], service["endpoints"]) == ("device", place.host, [place.uri])
        assert software["cpe"] in record.finding.attributes["cpe"]
        assert bom["dependencies"] == [
            {"ref": service["bom-ref"], "dependsOn": [device["bom-ref"], software["bom-ref"]]}
        ]

    def test_a_host_whose_records_are_in_two_places_is_one_device(self) -> None:
        first, *others = (record for record in map(be_current, RECORDS) if find_place(record.finding).port)
        other = next(record for record in others if place(record) != place(first))
        bom = json.loads(b"".join(render_records("cyclonedx", [first, other, first], EXPORT)))
        assert sum(component["type"] == "device" for component in bom["components"]) == 2

    def test_what_is_gone_is_left_out(self) -> None:
        gone = [replace(record, status=Status.GONE) for record in RECORDS]
        bom = json.loads(b"".join(render_records("cyclonedx", gone, EXPORT)))
        assert [bom[name] for name in ("services", "vulnerabilities", "annotations")] == [[], [], []]
        assert {component["type"] for component in bom["components"]} == {"device"}, "hosts of ports that closed"


def be_current(record: Record) -> Record:
    return replace(record, status=Status.OPEN, change="", vantage="default")


class TestElastic:
    def test_every_document_has_fields_of_the_schema_and_each_finding_is_one(self) -> None:
        index = Index()
        index.load(render("elastic"))
        assert index.documents.keys() == {record.uid for record in RECORDS}
        kinds = Counter(document["event"]["kind"] for document in index.documents.values())
        assert min(kinds["state"], kinds["alert"]) > 100

    def test_loading_a_newer_export_replaces_the_documents_and_ends_what_is_gone(self) -> None:
        index = Index()
        index.load(render("elastic"))
        newer = [replace(record, status=Status.GONE, finding=replace(record.finding, id="new")) for record in RECORDS]
        index.load(b"".join(render_records("elastic", newer, EXPORT)))
        assert len(index.documents) == len({record.uid for record in RECORDS})
        assert all(document["cascan"]["status"] == "gone" for document in index.documents.values())
        assert all("end" in document["event"] for document in index.documents.values())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1


class TestMarkdown:
    def test_the_text_of_hosts_makes_no_markup_and_every_row_has_each_cell(self) -> None:
        """With raw HTML allowed, as the most careless reader would have it."""
        text = render("md").decode()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\u2066]", text)
        assert not re.search(r"(?<!\\)://|www\.", text)
        assert not re.search(r"(?<![\w.])@\w", text)  # a mention of a person
        renderer = MarkdownIt("gfm-like", {"html": True, "linkify": False}).enable("table")
        tags = Tags()
        tags.feed(renderer.render(text))
        rows = COUNT + 1
        expected = {"h1": 1, "p": 2, "table": 1, "thead": 1, "tbody": 1, "tr": rows}
        assert tags.tags == expected | {"th": len(COLUMNS), "td": COUNT * len(COLUMNS)}

    def test_every_line_of_the_table_has_as_many_cells_as_columns(self) -> None:
        lines = [line for line in render("md").decode().splitlines() if line.startswith("| ")]
        assert len(lines) == COUNT + 2
        assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {len(COLUMNS) + 1}


class TestIdentity:
    @pytest.mark.parametrize("name", IDENTIFIED)
    def test_ids_do_not_depend_on_the_scan(self, name: str) -> None:
        """A scan's id is in a finding's own id alone, so another scan of the same gives the same document."""
        others = [replace(record, finding=replace(record.finding, id="another")) for record in RECORDS]
        assert b"".join(render_records(name, others, EXPORT)) == render(name)

    def test_two_vantages_give_two_ids(self) -> None:
        record = RECORDS[0]
        office = replace(record, vantage="office")
        uids = {finding["unique_id_from_tool"] for finding in read_import(_defectdojo(record, office))}
        assert len(uids) == 2


def _defectdojo(*records: Record) -> bytes:
    return b"".join(render_records("defectdojo", records, EXPORT))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("severity", Severity)
def test_each_format_is_the_same_whenever_it_is_made_of_the_same_records(name: str, severity: Severity) -> None:
    records = [record for record in RECORDS[:40] if record.finding.severity is severity]
    assert [*render_records(name, records, EXPORT)] == [*render_records(name, records, EXPORT)]
