"""Findings from the output of NSE scripts."""

from __future__ import annotations

import pytest

from cascan.findings.ports import CATEGORIES
from cascan.findings.smb import parse_dialect
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Port, Script
from tests.data.reports import SCRIPTS, hosts
from tests.unit.cascan.findings.test_findings import all_findings, findings_of

MANY_PORTS = Host(
    state="up",
    addresses=(Address("192.0.2.1", "ipv4"),),
    ports=(
        Port(protocol="tcp", number=22, state="open", scripts=(Script("banner", "SSH-2.0-x"),)),
        Port(
            protocol="tcp",
            number=21,
            state="open",
            scripts=(Script("banner", "220 x"), Script("ftp-anon", "Anonymous FTP login allowed (FTP code 230)")),
        ),
        Port(protocol="tcp", number=445, state="open"),
    ),
    scripts=(Script("smb-protocols", "…", {"dialects": ["3.1.1"]}),),
)


def findings_of_scripts(host: Host) -> list[Finding]:
    return [finding for finding in all_findings(host) if finding.category in ("FTP", "TCP", "SMB")]


def test_n20_anonymous_ftp_is_a_finding_of_medium_severity_at_the_port_it_ran_on() -> None:
    (ftp,) = findings_of("scripts", "FTP")
    (port,) = [f for f in findings_of("scripts", "Open Port") if f.attributes["service"] == "ftp"]
    assert (ftp.name, ftp.severity, ftp.osi_layer) == ("Anonymous FTP Login possible", "MEDIUM", "NETWORK")
    assert ftp.location == f"ftp://127.0.0.1:{port.attributes['port']}"
    assert ftp.description == f"Port {port.attributes['port']} allows anonymous FTP login"
    assert ftp.attributes["script"] == "ftp-anon"


def test_n20_a_banner_is_a_finding_with_its_text() -> None:
    banner = next(f for f in findings_of("scripts", "TCP") if "fixture" in f.attributes["banner"])
    assert (banner.name, banner.severity) == ("Server banner found", "INFORMATIONAL")
    assert banner.location == f"tcp://127.0.0.1:{banner.attributes['port']}"
    assert banner.description == f"Port {banner.attributes['port']} displays banner"
    assert (banner.attributes["banner"], banner.attributes["script"]) == (
        'fixture <banner> "1.0" \\x01\\xC3\\xA9',
        "banner",
    )


def test_n20_every_script_of_every_port_is_read_at_its_own_port() -> None:
    assert [(f.name, f.location) for f in findings_of_scripts(MANY_PORTS)] == [
        ("Server banner found", "tcp://192.0.2.1:22"),
        ("Server banner found", "ftp://192.0.2.1:21"),
        ("Anonymous FTP Login possible", "ftp://192.0.2.1:21"),
        ("SMB Protocol Version Finding v3.11", "tcp://192.0.2.1:445"),
    ]


def test_n20_a_response_without_a_login_is_not_a_finding() -> None:
    (banner,) = findings_of_scripts(
        hosts("oddities/structures")[0]
    )  # ftp-anon said "got code 503", the other banner "ERROR:"
    assert (banner.name, banner.location) == ("Server banner found", "ftp://asked.example:21")


def test_n21_each_dialect_is_a_finding_judged_by_its_number() -> None:
    first, second = hosts("oddities/smb")
    assert [(f.name, f.severity, f.attributes["smb_protocol_version"]) for f in findings_of_scripts(first)] == [
        ("SMB Dangerous Protocol Version Finding SMBv1", "HIGH", 1),
        ("SMB Protocol Version Finding v2.02", "LOW", 2.02),
        ("SMB Protocol Version Finding v2.1", "LOW", 2.1),
        ("SMB Protocol Version Finding v3", "INFORMATIONAL", 3),
        ("SMB Protocol Version Finding v3.02", "INFORMATIONAL", 3.02),
        ("SMB Protocol Version Finding v3.11", "INFORMATIONAL", 3.11),
    ]
    assert [(f.name, f.severity) for f in findings_of_scripts(second)] == [
        ("SMB Dangerous Protocol Version Finding v1.5", "MEDIUM"),
        ("SMB Protocol Version Finding v2.1", "LOW"),
        ("SMB Protocol Version Finding v3.11", "INFORMATIONAL"),
    ]


def test_n21_the_dialects_that_nmap_7_93_says_of_a_real_server_are_all_known() -> None:
    dialects = [f for f in findings_of("scripts/smb", "SMB") if "smb_protocol_version" in f.attributes]
    assert [f.attributes["smb_protocol_version"] for f in dialects] == [1, 2.02, 2.1, 3, 3.02, 3.11]
    assert [f.severity for f in dialects] == ["HIGH", "LOW", "LOW", "INFORMATIONAL", "INFORMATIONAL", "INFORMATIONAL"]
    assert {f.location for f in dialects} == {"tcp://127.0.0.1:445"}


def test_n21_the_sentences_are_secure_code_boxs() -> None:
    descriptions = [f.description for f in findings_of_scripts(hosts("oddities/smb")[0])]
    assert descriptions[0] == "Port 445 is open using SMB protocol with an old version: SMBv1"
    assert descriptions[2] == "Port 445 is open using SMB protocol with an old version: 2.1"
    assert descriptions[3] == "Port 445 is open using SMB protocol with version: 3"


def test_n21_the_port_is_445_if_open_else_139_else_none() -> None:
    first, second = hosts("oddities/smb")
    assert {f.location for f in findings_of_scripts(first)} == {"tcp://files.example:445"}
    assert {(f.location, f.attributes["port"]) for f in findings_of_scripts(second)} == {("tcp://192.0.2.11:139", 139)}
    (nowhere,) = findings_of_scripts(Host(state="up", addresses=MANY_PORTS.addresses, scripts=MANY_PORTS.scripts))
    assert (nowhere.location, "port" in nowhere.attributes) == ("192.0.2.1", False)
    assert nowhere.description == "The host is using SMB protocol with version: 3.11"


@pytest.mark.parametrize(
    ("dialect", "version"),
    [
        ("NT LM 0.12 (SMBv1) [dangerous, but default]", 1),
        ("2.02", 2.02),
        ("2.0.2", 2.02),
        ("2:0:2", 2.02),
        ("2.10", 2.1),
        ("2:1:0", 2.1),
        ("3.0", 3),
        ("3.11", 3.11),
        ("3.1.1", 3.11),
        ("202", 2.02),
        ("210", 2.1),
        ("300", 3),
        ("311", 3.11),
        ("none", None),
        ("", None),
    ],
)
def test_n21_every_spelling_of_a_dialect_is_the_same_number(dialect: str, version: float | None) -> None:
    assert parse_dialect(dialect) == version


@pytest.mark.parametrize(
    "data", [None, [], {}, {"dialects": []}, {"dialects": {"a": "b"}}, {"dialects": [{}]}, ["3.11"]]
)
def test_n21_output_of_another_shape_is_not_a_finding(data: object) -> None:
    assert (
        findings_of_scripts(
            Host(state="up", addresses=MANY_PORTS.addresses, scripts=(Script("smb-protocols", "…", data),))
        )
        == []
    )


def test_n22_a_script_without_a_row_in_the_table_is_text_of_its_port_and_nothing_else() -> None:
    (port,) = [f for f in findings_of("oddities/structures", "Open Port") if f.attributes["port"] == 80]
    assert port.attributes["scripts"]["plain"] == "only text"
    assert set(port.attributes["scripts"]) == {"keyless", "keyed", "repeated", "mixed", "plain"}
    findings = [finding for host in hosts("oddities/structures") for finding in all_findings(host)]
    assert [f for f in findings if f.attributes.get("port") == 80] == [port]


def port_of(finding: Finding) -> tuple[str, int]:
    return finding.attributes["protocol"], finding.attributes["port"]


@pytest.mark.parametrize("name", [*SCRIPTS, "scripts", "oddities/structures", "oddities/old-scripts", "oddities/smb"])
def test_n22_the_finding_of_a_port_or_host_carries_the_output_of_its_scripts(name: str) -> None:
    for host in hosts(name):
        findings = all_findings(host)
        carriers = {port_of(f): f for f in findings if f.category in CATEGORIES.values()}
        for port in host.ports:
            told = carriers[port.protocol, port.number].attributes["scripts"] or {} if port.state != "closed" else {}
            assert told == {script.id: script.output for script in port.scripts}
        (itself,) = [f for f in findings if f.category == "Host"]
        assert (itself.attributes["scripts"] or {}) == {script.id: script.output for script in host.scripts}


def test_n22_a_script_that_was_forced_on_a_closed_port_is_a_finding_of_its_own() -> None:
    port = Port(protocol="tcp", number=80, state="closed", scripts=(Script("no-such", "text", {"a": "b"}),))
    (host, forced) = all_findings(Host(state="up", addresses=MANY_PORTS.addresses, ports=(port,)))
    assert (forced.name, forced.category, forced.severity) == (
        "Script Output: no-such",
        "Script Output",
        "INFORMATIONAL",
    )
    assert (forced.attributes["output"], forced.attributes["data"], forced.attributes["port"]) == (
        "text",
        {"a": "b"},
        80,
    )
    assert host.category == "Host"


def test_n23_findings_of_different_scripts_at_one_port_are_different_findings() -> None:
    assert len({finding.fingerprint for finding in findings_of_scripts(MANY_PORTS)}) == 4
