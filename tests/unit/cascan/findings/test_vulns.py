"""Findings of vulnerabilities."""

from __future__ import annotations

import pytest

from cascan.findings.vulns import to_severity
from cascan.limits import MAX_FINDINGS_PER_SCRIPT
from tests.support.no_hang import no_hang
from tests.unit.cascan.findings.test_services import read_output, script_findings, summarize


def test_each_cve_of_vulners_is_a_finding_by_its_highest_score() -> None:
    findings = script_findings("oddities/old-scripts", "vulners", 53)
    assert [(f.name, f.severity, f.attributes.get("cvss")) for f in findings] == [
        ("CVE-2012-1667", "HIGH", 8.5),
        ("CVE-2015-4620", "MEDIUM", 5.0),
        ("Exploit: EDB-ID:37721", "MEDIUM", None),
        ("CVE-2009-0265", "LOW", 2.6),
    ]
    assert {f.category for f in findings} == {"Vulnerability"}
    assert {f.attributes["software"] for f in findings} == {"cpe:/a:isc:bind:9.8.2rc1"}
    assert findings[0].attributes["references"] == [
        {"type": "CVE", "value": "CVE-2012-1667"},
        {"type": "URL", "value": "https://vulners.com/cve/CVE-2012-1667"},
    ]


def test_the_text_of_an_old_vulners_is_read_where_there_is_no_structure() -> None:
    (finding,) = script_findings("oddities/old-scripts", "vulners", 80)
    assert (finding.name, finding.severity, finding.attributes["cvss"]) == ("CVE-2017-7679", "HIGH", 7.5)


@pytest.mark.parametrize(
    ("score", "severity"),
    [(10.0, "HIGH"), (7.0, "HIGH"), (6.9, "MEDIUM"), (4.0, "MEDIUM"), (3.9, "LOW"), (0.0, "LOW")],
)
def test_the_severity_of_a_score_is_cvss_own_and_critical_is_high(score: float, severity: str) -> None:
    assert to_severity(score) == severity


def test_a_report_of_the_vulns_library_is_a_finding_by_its_score() -> None:
    (finding,) = script_findings("scripts/vulns", "distcc-cve2004-2687")
    assert (finding.name, finding.category) == ("distcc Daemon Command Execution", "Vulnerability")
    assert (finding.severity, finding.attributes["cvss"]) == ("HIGH", 9.3)
    assert finding.attributes["cve"] == "CVE-2004-2687"
    assert finding.attributes["vulnerability_state"] == "VULNERABLE (Exploitable)"
    assert finding.attributes["disclosure"] == "2002-02-01"
    assert finding.location == "tcp://127.0.0.1:3632"
    assert any("uid=110(distccd)" in line for line in finding.attributes["evidence"])
    assert {"type": "CVE", "value": "CVE-2004-2687"} in finding.attributes["references"]


def test_without_a_score_and_a_risk_factor_it_is_of_medium_severity() -> None:
    (finding,) = script_findings("scripts/vulns", "http-vuln-cve2015-1635")
    assert summarize([finding]) == [("Remote Code Execution in HTTP.sys (MS15-034)", "MEDIUM")]
    assert "cvss" not in finding.attributes


def test_an_entry_without_a_cve_is_identified_by_its_title() -> None:
    (finding,) = script_findings("scripts/dh", "ssl-dh-params")
    assert finding.name == "Diffie-Hellman Key Exchange Insufficient Group Strength"
    assert "cve" not in finding.attributes
    assert "Modulus Length: 1024" in finding.attributes["evidence"][0]


@pytest.mark.parametrize("script", ["http-vuln-cve2015-1635", "http-vuln-cve2011-3192"])
def test_an_entry_that_is_not_vulnerable_is_not_a_finding(script: str) -> None:
    assert script_findings("scripts/not-vulnerable", script) == []


def test_the_risk_factor_that_only_the_text_has_decides_where_there_is_no_score() -> None:
    (finding,) = script_findings("oddities/old-scripts", "smb-vuln-ms17-010")
    assert (finding.severity, finding.attributes["cve"], finding.location) == ("HIGH", "CVE-2017-0143", "192.0.2.40")
    assert finding.description.startswith("The host is vulnerable: A critical remote code execution")


def test_the_text_of_an_old_nmap_is_read_entry_by_entry() -> None:
    findings = script_findings("oddities/old-scripts", "http-vuln-example")
    assert [(f.name, f.severity, f.attributes.get("cvss")) for f in findings] == [
        ("First of two", "LOW", None),
        ("Second of two", "MEDIUM", 5.5),  # "Third" could not be tested
    ]
    (apache,) = script_findings("oddities/old-scripts", "http-vuln-cve2011-3192")
    assert (apache.attributes["cve"], apache.attributes["ids"]) == (
        "CVE-2011-3192",
        ["CVE:CVE-2011-3192", "OSVDB:74721"],
    )


def test_a_likely_vulnerability_says_so() -> None:
    (finding,) = script_findings("oddities/old-scripts", "http-slowloris-check")
    assert finding.description == "Port 80 is likely vulnerable: Slowloris DOS attack"
    assert finding.attributes["vulnerability_state"] == "LIKELY VULNERABLE"


def test_a_script_gives_a_bounded_number_of_findings() -> None:
    entries = [{"id": f"CVE-2020-{number:05d}", "cvss": "5.0"} for number in range(MAX_FINDINGS_PER_SCRIPT + 5)]
    assert len(read_output("vulners", data={"cpe:/a:x:y": entries})) == MAX_FINDINGS_PER_SCRIPT


@pytest.mark.parametrize(
    "data", [{"CVE-1": {"title": [], "state": "x"}}, {"a": {"title": "t", "state": {}}}, ["x"], "x"]
)
def test_a_structure_of_another_library_is_not_a_finding(data: object) -> None:
    assert read_output("someones-script", data=data) == []


@pytest.mark.parametrize(
    "flood", ["  \n" * 300_000, "  State: \n" * 100_000, "    IDs:  \n" * 100_000, " " * 1_000_000]
)
def test_a_flood_of_text_is_read_to_its_end(flood: str) -> None:
    with no_hang():
        assert read_output("someones-script", f"VULNERABLE:\n{flood}") == []
        assert read_output("vulners", flood) == []


DROWN = {"title": "OpenSSL: Cross-protocol attack (DROWN)", "state": "VULNERABLE", "ids": ["CVE:CVE-2016-0800"]}


@pytest.mark.parametrize(
    "data",
    [
        {"ciphers": ["SSL2_RC4_128_WITH_MD5"], "vulns": {"CVE-2016-0800": DROWN}},  # sslv2-drown
        {"CVE-2016-0800": DROWN},  # most scripts
        DROWN,  # at the top level, as older scripts write it
        [DROWN],
        {"checked": {"0": "x"}, "results": [{"deeper": {"CVE-2016-0800": DROWN}}]},
    ],
)
def test_an_entry_of_the_library_is_found_wherever_it_is(data: object) -> None:
    (finding,) = read_output("sslv2-drown", "…", data)
    assert (finding.name, finding.attributes["cve"]) == (DROWN["title"], "CVE-2016-0800")


def test_every_entry_of_a_script_is_a_finding_and_none_is_lost_behind_the_first() -> None:
    second = {"title": "Second", "state": "LIKELY VULNERABLE"}
    safe = {"title": "Third", "state": "NOT VULNERABLE"}
    names = [finding.name for finding in read_output("x", "…", {"a": DROWN, "b": {"list": [safe, second]}})]
    assert names == [DROWN["title"], "Second"]


def test_a_script_with_a_reader_of_its_own_may_report_vulnerabilities_too() -> None:
    names = [
        finding.name for finding in read_output("http-title", "Welcome", {"title": "Welcome", "vulns": {"x": DROWN}})
    ]
    assert DROWN["title"] in names
    assert len(names) == 2


def test_a_text_reports_a_vulnerability_also_behind_other_text() -> None:
    text = "\n  ciphers:\n    SSL2_X\n  VULNERABLE:\n  DROWN\n    State: VULNERABLE\n    IDs:  CVE:CVE-2016-0800\n"
    (finding,) = read_output("sslv2-drown", text)
    assert (finding.name, finding.attributes["cve"]) == ("DROWN", "CVE-2016-0800")


EXPLOIT = {"id": "EDB-ID:1234", "cvss": "7.5", "type": "exploitdb", "is_exploit": "true"}


def test_an_exploit_that_vulners_lists_is_a_finding_and_says_so() -> None:
    cve = {"id": "CVE-2019-0001", "cvss": "5.0", "type": "cve", "is_exploit": "false"}
    first, second = read_output("vulners", "…", {"cpe:/a:x:y": [cve, EXPLOIT]})
    assert (first.name, first.attributes.get("exploit")) == ("CVE-2019-0001", None)
    assert (second.name, second.severity, second.attributes["exploit"]) == ("Exploit: EDB-ID:1234", "HIGH", True)
    assert second.attributes["references"] == [{"type": "URL", "value": "https://vulners.com/exploitdb/EDB-ID:1234"}]
    assert "cve" not in second.attributes


def test_exploits_in_the_text_of_vulners_are_findings_too() -> None:
    text = (
        "\n  cpe:/a:x:y: \n    \tCVE-2019-0001\t5.0\thttps://vulners.com/cve/CVE-2019-0001"
        "\n    \tEDB-ID:1234\t7.5\thttps://vulners.com/exploitdb/EDB-ID:1234\t*EXPLOIT*"
        "\n    \tPACKETSTORM:9\t\thttps://vulners.com/packetstorm/PACKETSTORM:9\t*EXPLOIT*"
    )
    assert summarize(read_output("vulners", text)) == [
        ("CVE-2019-0001", "MEDIUM"),
        ("Exploit: EDB-ID:1234", "HIGH"),
        ("Exploit: PACKETSTORM:9", "MEDIUM"),
    ]


@pytest.mark.parametrize("hostile", ["javascript:alert(1)//", "../../x", "a b", "", "x" * 121])
def test_an_id_that_is_none_makes_no_link(hostile: str) -> None:
    assert read_output("vulners", "…", {"cpe": [EXPLOIT | {"id": hostile}]}) == []
    (finding,) = read_output("vulners", "…", {"cpe": [EXPLOIT | {"type": f"{hostile}/"}]})
    assert finding.attributes["references"] == [{"type": "URL", "value": "https://vulners.com/cve/EDB-ID:1234"}]
