"""The HTML report: what it holds, and that nothing of a scanned host is markup in it."""

from __future__ import annotations

import io
import json
import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from html import escape
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.findings import build_findings
from cascan.findings.by_host import group_by_host
from cascan.html_report.build_report import build_report
from cascan.html_report.render_report import render_report
from cascan.html_report.texts import make_visible
from cascan.ids import derive_scan_id
from cascan.model.cascade import StoredChild
from cascan.model.exposure import Exposure, ExposureDay, ExposureState, ExposureSubject
from cascan.model.finding import Finding, Severity
from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from cascan.nmap.report.read import read_report
from tests.data.reports import report
from tests.fakes import MemoryScanTable
from tests.fakes.cascades import MemoryCascadeTable
from tests.support.builders import NOW, SCAN_ID, a_request, a_scan, a_table

DONE = a_scan(state=ScanState.DONE, outcome=Outcome.COMPLETE, shards_open=0, finished_at=NOW)
HOSTILE = "</script><script>alert(1)</script><!-- & \u2028\u2029 \u202e \x1b[31m"


def a_finding(**fields: Any) -> Finding:
    plain: dict[str, Any] = {
        "id": "an id",
        "fingerprint": "ab" * 16,
        "parsed_at": NOW,
        "name": "Open Port: 22 (ssh)",
        "description": "Port 22 is open using tcp protocol.",
        "category": "Open Port",
        "severity": Severity.INFORMATIONAL,
        "osi_layer": "NETWORK",
        "location": "tcp://10.0.0.1:22",
        "attributes": {"ip_addresses": ["10.0.0.1"], "port": 22, "protocol": "tcp", "service": "ssh"},
    }
    return Finding(**plain | fields)


def render(
    table: MemoryScanTable, scan: Scan = DONE, cascades: MemoryCascadeTable | None = None, **options: Any
) -> bytes:
    return b"".join(render_report(build_report(scan, table, cascades or MemoryCascadeTable(), now=NOW, **options)))


def read_data(page: bytes) -> dict[str, Any]:
    found = re.search(rb'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def a_table_with(*findings: Finding, scan: Scan = DONE) -> MemoryScanTable:
    table = a_table(scan)
    table.put_findings(scan.scan_id, group_by_host(findings))
    return table


def numbers(data: dict[str, Any], name: str) -> list[int]:
    """A column; one that has the same number in every row is only this number."""
    column = data["findings"][name]
    return column if isinstance(column, list) else [column] * len(data["findings"]["id"])


def column(data: dict[str, Any], name: str) -> list[str]:
    return [data["texts"][number] for number in numbers(data, name)]


def test_every_finding_is_in_the_data_with_its_port_its_service_and_what_nmap_wrote() -> None:
    findings = [
        finding for host in read_report(io.BytesIO(report("scripts"))) for finding in build_findings(host, SCAN_ID, NOW)
    ]
    data = read_data(render(a_table_with(*findings)))
    columns = data["findings"]
    assert sorted(columns["id"]) == sorted(finding.id for finding in findings)
    assert sorted(numbers(data, "port")) == sorted(finding.attributes.get("port") or 0 for finding in findings)
    outputs = {output for finding in findings for output in (finding.attributes.get("scripts") or {}).values()}
    assert outputs
    evidence = "\n".join(column(data, "output"))
    assert all(make_visible(output, keeps_lines=True) in evidence for output in outputs)


def test_a_finding_of_a_script_has_the_output_of_the_script_at_its_port() -> None:
    plain = {"ip_addresses": ["10.0.0.1"], "port": 22, "protocol": "tcp"}
    port = a_finding(attributes=plain | {"scripts": {"ssh-auth-methods": "password", "other": "x"}})
    script = a_finding(
        id="of a script", category="SSH", attributes=plain | {"script": "ssh-auth-methods", "mode": "weak"}
    )
    data = read_data(render(a_table_with(port, script)))
    assert column(data, "output") == ["ssh-auth-methods: password\nother: x", "password"]
    assert column(data, "facts")[1] == "script: ssh-auth-methods\nmode: weak"


def test_nothing_of_a_scanned_host_is_markup_and_direction_marks_are_visible() -> None:
    attributes = {"ip_addresses": ["10.0.0.1"], "hostname": HOSTILE, "service": HOSTILE, "scripts": {"banner": HOSTILE}}
    scan = replace(DONE, name=HOSTILE, error_description=HOSTILE, request=a_request(targets=(HOSTILE,)))
    page = render(a_table_with(a_finding(name=HOSTILE, severity=Severity.HIGH, attributes=attributes), scan=scan), scan)
    text = page.decode()
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "alert(1)" not in text.replace(escape("<script>alert(1)</script>"), "").replace(
        "\\u003cscript\\u003ealert(1)", ""
    )
    assert not {"\u2028", "\u2029", "\u202e", "\x1b"} & set(text)
    data = read_data(page)
    visible = "</script><script>alert(1)</script><!-- & \\u2028\\u2029 \\u202e \\x1b[31m"
    assert column(data, "name") == [visible]
    assert data["plain"]["scan"]["name"] == visible


def test_the_policy_allows_the_one_script_and_the_one_style_and_no_address() -> None:
    page = render(a_table(DONE)).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(sha256(body.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'; ")
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page) == []


def test_the_data_of_an_empty_scan_is_valid() -> None:
    data = read_data(render(a_table(DONE)))
    assert (data["findings"]["id"], data["texts"], data["gone"]["resolved"]) == ([], [""], 0)
    assert data["plain"]["scan"]["sentence"] == "Every address was scanned, and each of them is accounted for."


def test_what_is_new_and_what_is_resolved_since_the_last_scan() -> None:
    earlier = replace(DONE, scan_id=derive_scan_id("earlier"), requested_at=NOW - timedelta(days=1))
    later = replace(DONE, findings=Counts(count=1, severities={"HIGH": 1}))
    table = a_table_with(a_finding(severity=Severity.HIGH), scan=later)
    table.create_scan(earlier)
    table.put_findings(earlier.scan_id, group_by_host([a_finding(fingerprint="cd" * 16, name="Open Port: 80")]))
    page = render(table, later)
    data = read_data(page)
    since = data["plain"]["since"]
    # No look covers a port here: nothing is new, and nothing resolved
    assert (since["new"], since["firstCovered"], since["resolved"], since["notCovered"]) == (0, 1, 0, 1)
    assert data["findings"]["standing"] == "2"
    assert data["texts"][data["gone"]["columns"]["name"]] == "Open Port: 80"
    assert [scan["id"] for scan in data["plain"]["series"]] == [earlier.scan_id, later.scan_id]
    assert "Since your last scan: 0 new, 0 resolved, 1 not covered" in page.decode()


@pytest.mark.parametrize("most", [1, 0], ids=["network by network", "all of the stack"])
def test_exposures_of_the_hosts_of_the_report_are_listed_with_their_owner(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascan.html_report.build_report.MAX_REPORT_NETWORKS", most)
    table = a_table_with(a_finding())
    table.put_exposure_day(ExposureDay(due_at=NOW))
    for number, address in enumerate(("10.0.0.1", "10.0.0.9")):
        subject = ExposureSubject(vantage="default", address=address, kind="unexpected-open", protocol="tcp", port=22)
        table.put_exposure(
            Exposure(
                exposure_id=f"e{number}",
                subject=subject,
                state=ExposureState.OPEN,
                owner="net",
                first_seen=NOW,
                revision=1,
            )
        )
    (listed,) = read_data(render(table))["plain"]["exposures"]
    assert (listed["id"], listed["owner"], listed["port"], listed["state"]) == ("e0", "net", "22/tcp", "open")


def test_what_was_not_scanned_is_listed_with_the_reason() -> None:
    reason = Reason.of(ReasonCode.HOST_TIMED_OUT, "10.0.0.7", "10.0.0.7 ran into --host-timeout")
    scan = replace(
        DONE, outcome=Outcome.TIMED_OUT, reasons=Reasons.of([reason]), request=a_request(exclude=("10.0.0.3",))
    )
    page = render(a_table(scan), scan)
    gaps = read_data(page)["plain"]["gaps"]
    assert [(entry["title"], entry["subject"]) for entry in gaps["reasons"]] == [
        ("The host ran into its time limit", "10.0.0.7")
    ]
    assert gaps["excluded"] == ["10.0.0.3"]
    assert "The host ran into its time limit: 10.0.0.7 ran into --host-timeout" in page.decode()


def test_passwords_are_left_out_unless_they_are_asked_for() -> None:
    attributes = {"ip_addresses": ["10.0.0.1"], "port": 22, "protocol": "tcp", "scripts": {"ssh-brute": "root:hunter2"}}
    scan = replace(DONE, request=a_request(parameters=("--script-args", "smbpassword=hunter2")))
    table = a_table_with(a_finding(attributes=attributes), scan=scan)
    cascades = MemoryCascadeTable()
    parameters = ("--script-args", "smbpassword=hunter2")
    child = StoredChild(key="k", rule="r", scan_id="", name="child", scan_type="nmap", parameters=parameters)
    cascades.stored[SCAN_ID] = {"k": child}
    assert b"hunter2" not in render(table, scan, cascades)
    assert render(table, scan, cascades, shows_secrets=True).count(b"hunter2") == 3


@pytest.mark.parametrize("port", [-1, 65_536, 10**30])
def test_a_stored_finding_with_an_impossible_port_is_listed_without_it(port: int) -> None:
    finding = a_finding(attributes={"ip_addresses": ["10.0.0.1"], "port": port, "protocol": "tcp"})
    assert numbers(read_data(render(a_table_with(finding))), "port") == [0]


def test_the_end_of_a_certificate_is_any_text_of_the_host() -> None:
    attributes = {"ip_addresses": ["10.0.0.1"], "port": 443, "not_after": "2026\u202e" + "x" * 30_000}
    page = render(a_table_with(a_finding(category="TLS Certificate", attributes=attributes))).decode()
    assert "\u202e" not in page
    assert len(read_data(page.encode())["findings"]["certificates"][0][0]) < 21_000


def test_findings_beyond_the_limit_are_counted_in_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascan.html_report.build_report.MAX_REPORT_FINDINGS", 1)
    table = a_table_with(a_finding(), a_finding(id="another", fingerprint="cd" * 16))
    data = read_data(render(table))
    assert len(data["findings"]["id"]) == 1
    assert data["plain"]["notes"] == ["1 more findings are not listed here; cascan findings lists all."]


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    assert make_visible("x" * 20_010).endswith(" … and 10 more characters, which the XML report has")
    assert make_visible("a\nb\tc", keeps_lines=True) == "a\nb\tc"
    assert make_visible("a\nb") == "a\\nb"


def test_an_earlier_scan_with_too_many_findings_is_not_compared() -> None:
    earlier = replace(DONE, scan_id=derive_scan_id("earlier"), requested_at=NOW - timedelta(days=1))
    table = a_table_with(a_finding())
    table.create_scan(replace(earlier, findings=Counts(count=2)))
    page = render(table, max_compared=1)
    assert read_data(page)["plain"]["since"]["isCompared"] is False
    assert "The last scan of the series has too many findings to be compared." in page.decode()
