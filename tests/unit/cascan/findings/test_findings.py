"""Findings of ports and hosts, in secureCodeBox's format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from cascan.findings import build_findings
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Hostname, Port, Service
from tests.data.reports import REAL, hosts

SCAN = "a" * 16
NOW = datetime(2026, 1, 1, tzinfo=UTC)
V4 = Address("192.0.2.1", "ipv4")
SSH = Port(
    protocol="tcp",
    number=22,
    state="open",
    reason="syn-ack",
    reason_ttl=63,
    service=Service(name="ssh", method="table"),
)


def all_findings(host: Host, **names: str) -> list[Finding]:
    return list(build_findings(host, SCAN, NOW, names))


def findings_of(name: str, category: str) -> list[Finding]:
    return [finding for host in hosts(name) for finding in all_findings(host) if finding.category == category]


def a_host(*ports: Port, **fields: Any) -> Host:
    return msgspec.structs.replace(Host(state="up", addresses=(V4,), ports=ports), **fields)


def test_n17_an_open_port_is_a_finding_with_secure_code_boxs_words() -> None:
    finding = all_findings(a_host(SSH, hostnames=(Hostname("host.example", "PTR"),)))[0]
    assert (finding.name, finding.category) == ("Open Port: 22 (ssh)", "Open Port")
    assert finding.description == "Port 22 is open using tcp protocol."
    assert finding.location == "tcp://host.example:22"
    assert (finding.severity, finding.osi_layer) == ("INFORMATIONAL", "NETWORK")


def test_n17_a_port_without_a_service_is_named_by_its_number_and_located_by_address() -> None:
    finding = all_findings(a_host(Port(protocol="udp", number=53, state="open")))[0]
    assert (finding.name, finding.location) == ("Open Port: 53", "udp://192.0.2.1:53")


def test_n17_the_attributes_are_secure_code_boxs_and_what_nmap_knows_besides() -> None:
    attributes = findings_of("oddities/structures", "Open Port")[1].attributes
    assert attributes == {
        "port": 22,
        "state": "open",
        "ip_addresses": ["192.0.2.30"],
        "mac_address": None,
        "protocol": "tcp",
        "hostname": "asked.example",
        "method": "probed",
        "operating_system": "Linux 5.0",
        "service": "ssh",
        "serviceProduct": "OpenSSH",
        "serviceVersion": "9.2p1",
        "scripts": {"banner": "ERROR: Script execution failed (use -d to debug)"},
        "tunnel": "none",
        "application_protocol": "ssh",
        "cpe": ["cpe:/a:openbsd:openssh:9.2p1", "cpe:/o:linux:linux_kernel"],
        "reason": "syn-ack",
        "reason_ttl": 63,
        "reason_ip": None,
        "confidence": 10,
        "scripts_data": None,
        "hostnames": ["ptr.example", "asked.example"],
        "service_details": {"extrainfo": "protocol 2.0", "ostype": "Linux", "hostname": "ptr"},
    }


def test_n17_an_ipv6_address_is_in_brackets() -> None:
    (port,) = findings_of("ipv6", "Open Port")
    assert port.location == f"tcp://[::1]:{port.attributes['port']}"
    (host,) = findings_of("ipv6", "Host")
    assert (host.name, host.location) == ("Host: ::1", "::1")


def test_n17_http_inside_tls_is_http_with_a_tunnel_as_rules_expect() -> None:
    secure = next(f for f in findings_of("versions", "Open Port") if f.attributes["tunnel"] == "ssl")
    assert secure.attributes["service"] == "http"
    assert secure.name.endswith("(http)")
    assert secure.attributes["application_protocol"] == "https"


def test_n17_the_structure_behind_a_scripts_text_is_kept() -> None:
    finding = next(f for f in findings_of("scripts", "Open Port") if "ssl-cert" in (f.attributes["scripts"] or {}))
    assert finding.attributes["scripts_data"]["ssl-cert"]["subject"] == {"commonName": "fixture.example"}
    assert finding.attributes["scripts"]["ssl-cert"].startswith("Subject: commonName=fixture.example\n")


def test_n18_a_host_is_a_finding_named_by_its_name_or_address() -> None:
    named, bare = findings_of("oddities/smb", "Host")
    assert (named.name, named.location) == ("Host: files.example", "files.example")
    assert (bare.name, bare.location) == ("Host: 192.0.2.11", "192.0.2.11")
    assert (named.description, named.severity, named.osi_layer) == ("Found a host", "INFORMATIONAL", "NETWORK")
    assert named.attributes["mac_address"] == "02:00:5E:00:53:0A"
    assert named.attributes["mac_vendor"] == "Example"


def test_n18_what_nmap_before_6_and_masscan_say_of_a_service_is_kept() -> None:
    old = Service(name="rpcbind", proto="rpc", rpcnum=100_000, lowver=2, highver=4)
    masscan = Service(name="http", banner="Server: x")
    for service, kept in (
        (old, {"proto": "rpc", "rpcnum": 100_000, "lowver": 2, "highver": 4}),
        (masscan, {"banner": "Server: x"}),
    ):
        port = all_findings(a_host(msgspec.structs.replace(SSH, service=service)))[0]
        assert port.attributes["service_details"] == kept


def test_n18_a_host_that_is_not_up_gives_no_finding() -> None:
    assert [finding for name in ("down", "list") for host in hosts(name) for finding in all_findings(host)] == []
    assert all_findings(a_host(SSH, state="down")) == []


def test_n18_a_report_without_hosts_gives_no_finding() -> None:
    assert findings_of("bad-ports", "Host") == []


def test_n18_the_host_carries_its_scripts_and_every_other_element() -> None:
    (host,) = findings_of("oddities/structures", "Host")
    assert host.attributes["scripts"] == {"fcrdns": "FAIL (No PTR record)"}
    assert host.attributes["scripts_data"] == {"fcrdns": {"<none>": {"status": "fail"}}}
    assert host.attributes["os_matches"][1] == {"name": "Linux 4.0", "accuracy": 90}
    assert host.attributes["details"]["distance"] == [{"value": "2"}]


def test_n18_ports_that_nmap_only_counts_are_counted_on_the_host() -> None:
    assert findings_of("hosts", "Host")[0].attributes["extraports"] == [
        {
            "state": "closed",
            "count": 50,
            "reasons": [{"reason": "conn-refused", "count": 50, "protocol": "tcp", "ports": "1-50"}],
        }
    ]


@pytest.mark.parametrize(
    ("state", "category"),
    [
        ("open", "Open Port"),
        ("open|filtered", "Open or Filtered Port"),
        ("filtered", "Filtered Port"),
        ("unfiltered", "Unfiltered Port"),
        ("closed|filtered", "Closed or Filtered Port"),
        ("closed", None),
        ("unknown", None),
    ],
)
def test_n19_the_category_says_what_nmap_knows_of_the_port(state: str, category: str | None) -> None:
    ports = [f for f in all_findings(a_host(msgspec.structs.replace(SSH, state=state))) if f.category != "Host"]
    assert [(f.category, f.name) for f in ports] == ([(category, f"{category}: 22 (ssh)")] if category else [])
    assert all(f.description == f"Port 22 is {state} using tcp protocol." for f in ports)


def test_n19_of_a_udp_scan_only_the_port_that_answered_is_open() -> None:
    (answered,) = findings_of("udp", "Open Port")
    assert answered.attributes["reason"] == "udp-response"
    assert len(findings_of("udp", "Open or Filtered Port")) == 1
    assert len(findings_of("connect", "Open Port")) == 3
    assert len(findings_of("connect", "Filtered Port")) == 1


@pytest.mark.parametrize("name", [*REAL, "oddities/smb", "oddities/states", "oddities/structures"])
def test_n23_every_finding_has_an_id_of_its_own_the_time_it_was_parsed_and_a_known_severity(name: str) -> None:
    for host in hosts(name):
        findings = all_findings(host)
        assert len({UUID(finding.id) for finding in findings}) == len(findings)
        assert len({finding.fingerprint for finding in findings}) == len(findings)
        assert {finding.parsed_at for finding in findings} <= {NOW}
        assert all(finding.name and finding.category for finding in findings)
        assert msgspec.json.decode(msgspec.json.encode(findings), type=list[Finding]) == findings


def test_n23_the_same_thing_keeps_its_id_within_a_scan_and_its_fingerprint_across_scans() -> None:
    first, again = all_findings(a_host(SSH)), all_findings(a_host(SSH))
    other = list(build_findings(a_host(SSH), "b" * 16, NOW))
    assert [f.id for f in first] == [f.id for f in again]
    assert [f.fingerprint for f in first] == [f.fingerprint for f in other]
    assert not {f.id for f in first} & {f.id for f in other}


def test_n23_a_new_version_or_name_is_still_the_same_finding() -> None:
    upgraded = msgspec.structs.replace(SSH, service=Service(name="ssh", product="OpenSSH", version="10"))
    before, after = (
        all_findings(a_host(SSH)),
        all_findings(a_host(upgraded, hostnames=(Hostname("new.example", "PTR"),))),
    )
    assert [f.fingerprint for f in before] == [f.fingerprint for f in after]


@pytest.mark.parametrize(
    "other",
    [
        a_host(msgspec.structs.replace(SSH, number=23)),
        a_host(msgspec.structs.replace(SSH, protocol="sctp")),
        a_host(SSH, addresses=(Address("192.0.2.2", "ipv4"),)),
        a_host(msgspec.structs.replace(SSH, state="filtered")),
    ],
)
def test_n23_another_port_protocol_address_or_state_is_another_finding(other: Host) -> None:
    assert all_findings(a_host(SSH))[0].fingerprint != all_findings(other)[0].fingerprint


def test_the_name_of_the_request_wins_over_reverse_dns() -> None:
    host = a_host(SSH, hostnames=(Hostname("ptr.example", "PTR"),))
    port, itself = all_findings(host, **{"192.0.2.1": "asked.example"})
    assert (port.location, itself.location) == ("tcp://asked.example:22", "asked.example")
    assert port.attributes["hostname"] == "asked.example"
    assert all_findings(host, **{"192.0.2.9": "other.example"})[0].location == "tcp://ptr.example:22"


def test_a_name_that_nmap_was_asked_for_wins_over_reverse_dns() -> None:
    assert [finding.location for finding in findings_of("hosts", "Host")] == [
        "127.0.0.1",
        "localhost",
        "127.0.0.1",
    ]
    assert findings_of("oddities/structures", "Host")[0].location == "asked.example"


def test_a_host_known_by_its_mac_address_alone_is_located_by_it() -> None:
    assert all_findings(a_host(addresses=(Address("02:00:5E:00:53:0A", "mac"),)))[0].name == "Host: 02:00:5E:00:53:0A"
    assert all_findings(a_host(addresses=()))[0].name == "Host: unknown-address"
