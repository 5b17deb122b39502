"""ASFF: what AWS Security Hub takes, with ids that stay, and nothing that a scanned host could break."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.findings import build_findings
from cascan.findings.redact import redact_finding
from cascan.formats.asff import build_id, to_asff
from cascan.formats.hub_product import HubProduct, read_product_of
from cascan.formats.records import Export, Record, Status
from cascan.formats.registry import render_records
from cascan.ids import derive_scan_id
from cascan.model.exposure import Exposure, ExposureState, ExposureSubject
from cascan.model.finding import Finding, Severity
from tests.data.reports import hosts
from tests.support.security_hub import find_faults
from tests.support.varied_findings import SECRET, list_varied_records

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
ACCOUNT = "123456789012"
PRODUCT = HubProduct(ACCOUNT, "eu-west-1")
HOSTILE = "\x1b[31m\u202e<script>\x00\ud800" + "\U0001f600" * 3000


def finding(**fields: Any) -> Finding:
    attributes = {"ip_addresses": ["10.0.0.5"], "port": 443, "protocol": "tcp"} | fields.pop("attributes", {})
    usual: dict[str, Any] = {
        "id": "1",
        "fingerprint": "f" * 32,
        "parsed_at": NOW,
        "name": "Open Port: 443",
        "description": "Port 443 is open",
        "category": "Open Port",
        "severity": Severity.LOW,
        "osi_layer": "NETWORK",
        "location": "tcp://10.0.0.5:443",
    }
    return Finding(**usual | fields, attributes=attributes)


def convert(record: Record, exposure: Exposure | None = None) -> dict[str, Any]:
    asff = to_asff(record, PRODUCT, record.seen_at, exposure)
    assert find_faults(asff, ACCOUNT) == []
    return asff


def test_security_hub_takes_a_thousand_varied_findings() -> None:
    records = [replace(record, finding=redact_finding(record.finding)) for record in list_varied_records()]
    assert len(records) == 1000
    texts = [json.dumps(convert(record), ensure_ascii=False) for record in records]
    assert all(map(str.isprintable, texts))
    assert SECRET not in "".join(texts)


def test_the_id_names_product_vantage_and_fingerprint_and_no_scan() -> None:
    (host,) = hosts("scripts/vulns")[:1]
    first, second = (
        [build_id(PRODUCT, Record(finding=each, vantage="branch")) for each in build_findings(host, scan_id, NOW)]
        for scan_id in (derive_scan_id("one"), derive_scan_id("two"))
    )
    assert first == second
    assert len(set(first)) == len(first) > 3
    asff = convert(Record(finding=finding(), vantage="branch"))
    assert asff["Id"] == f"{asff['ProductArn']}/cascan/branch/{'f' * 32}"
    assert asff["ProductArn"] == f"arn:aws:securityhub:eu-west-1:{ACCOUNT}:product/{ACCOUNT}/default"
    china = HubProduct(ACCOUNT, "cn-north-1", "aws-cn")
    assert china.arn.startswith("arn:aws-cn:securityhub:cn-north-1:")


def test_a_product_is_read_of_any_arn_with_account_and_region() -> None:
    stack = f"arn:aws-us-gov:cloudformation:us-gov-west-1:{ACCOUNT}:stack/cascan/1"
    assert read_product_of(stack) == HubProduct(ACCOUNT, "us-gov-west-1", "aws-us-gov")
    assert read_product_of(PRODUCT.arn) == PRODUCT
    with pytest.raises(ValueError, match="not the ARN"):
        read_product_of("arn:aws:s3:::bucket")


def test_hostile_text_is_printable_and_cut_on_characters() -> None:
    names = ("hostname", "serviceProduct", "service", "script", "operating_system", "cve")
    references = [{"type": "URL", "value": f"https://x/{HOSTILE}"}, 3]
    attributes = dict.fromkeys(names, HOSTILE) | {"method": "probed", "references": references}
    hostile = finding(name=HOSTILE, description=HOSTILE, location=HOSTILE, attributes=attributes)
    asff = convert(Record(finding=hostile, note=HOSTILE, owner=HOSTILE))
    assert len(asff["Title"]) == 256
    assert len(asff["Description"]) == 1024
    assert asff["Title"].endswith("\U0001f600…")
    assert json.dumps(asff, ensure_ascii=False).isprintable()
    assert "Vulnerabilities" not in asff


@pytest.mark.parametrize("port", ["443", None, -1, 70_000, 4.5])
def test_a_port_that_is_no_number_gives_no_network(port: object) -> None:
    assert "Network" not in convert(Record(finding=finding(attributes={"port": port})))


def test_a_vulnerability_has_its_cve_score_and_references() -> None:
    cves, urls = ("CVE-2021-1", "CVE-2021-44228"), ("https://nvd.example/CVE", "javascript:alert(1)")
    references = [{"type": "CVE", "value": cve} for cve in cves] + [{"type": "URL", "value": url} for url in urls]
    attributes = {"cve": "CVE-2019-0708", "cvss": 9.8, "exploit": True, "references": references}
    asff = convert(Record(finding=finding(category="Vulnerability", attributes=attributes)))
    assert asff["Types"] == ["Software and Configuration Checks/Vulnerabilities/CVE"]
    common = {"Cvss": [{"BaseScore": 9.8}], "ExploitAvailable": "YES", "ReferenceUrls": ["https://nvd.example/CVE"]}
    assert asff["Vulnerabilities"] == [{"Id": "CVE-2019-0708"} | common, {"Id": "CVE-2021-44228"} | common]


def test_network_process_and_resource_say_where_it_is() -> None:
    attributes = {
        "ip_addresses": ["2001:db8::5"],
        "hostname": "shop.example",
        "serviceProduct": "nginx",
        "method": "probed",
    }
    asff = convert(Record(finding=finding(attributes=attributes)))
    assert asff["Network"] == {
        "Direction": "IN",
        "Protocol": "TCP",
        "DestinationIpV6": "2001:db8::5",
        "DestinationPort": 443,
        "DestinationDomain": "shop.example",
        "OpenPortRange": {"Begin": 443, "End": 443},
    }
    assert asff["Process"] == {"Name": "nginx"}
    (resource,) = asff["Resources"]
    assert (resource["Type"], resource["Id"]) == ("Other", "host/2001:db8::5")
    assert resource["Details"]["Other"]["port"] == "tcp/443"


def test_what_is_gone_is_archived_and_what_is_suppressed_is_said_so() -> None:
    assert convert(Record(finding=finding(), status=Status.GONE))["RecordState"] == "ARCHIVED"
    suppressed = convert(Record(finding=finding(), status=Status.SUPPRESSED))
    assert (suppressed["RecordState"], suppressed["Workflow"]) == ("ACTIVE", {"Status": "SUPPRESSED"})


@pytest.mark.parametrize(
    ("state", "workflow", "compliance"),
    [
        (ExposureState.CONFIRMED, "NEW", "FAILED"),
        (ExposureState.ACKNOWLEDGED, "NOTIFIED", "FAILED"),
        (ExposureState.ACCEPTED, "SUPPRESSED", "WARNING"),
        (ExposureState.RESOLVED, "NEW", None),
    ],
)
def test_an_exposure_decides_on_compliance_workflow_and_severity(
    state: ExposureState, workflow: str, compliance: str | None
) -> None:
    subject = ExposureSubject(vantage="default", address="10.0.0.5", kind="unexpected-open", protocol="tcp", port=443)
    exposure = Exposure(
        exposure_id="e", subject=subject, state=state, severity=Severity.HIGH, line=7, sentence="Not expected"
    )
    asff = convert(Record(finding=finding()), exposure)
    assert asff["Workflow"] == {"Status": workflow}
    assert asff.get("Compliance", {}).get("Status") == compliance
    expected = Severity.LOW if state is ExposureState.RESOLVED else Severity.HIGH
    assert asff["Severity"] == {"Label": expected, "Original": "LOW"}
    assert asff["FindingProviderFields"]["Severity"] == asff["Severity"]


def test_an_export_is_one_array_without_secrets() -> None:
    attributes = {
        "script": "ssh-brute",
        "accounts": [{"username": "root", "password": "hunter2"}],
        "output": "root:hunter2",
    }
    records = [Record(finding=finding(attributes=attributes)), replace(Record(finding=finding()), status=Status.GONE)]
    later = NOW + timedelta(days=1)
    export = Export(title="t", generated_at=later, version="1", hub_product=PRODUCT)
    text = b"".join(render_records("asff", records, export))
    assert b"hunter2" not in text
    first, second = json.loads(text)
    assert first["UpdatedAt"] == "2026-05-04T03:02:01.000Z"
    assert second["UpdatedAt"] == "2026-05-05T03:02:01.000Z"
    assert json.loads(b"".join(render_records("asff", [], export))) == []
