"""Bundled rules that test_cascade_lab.py does not lead to, each proven in the lab: what nmap found there is matched,
the follow-up asks for a child, and the child is planned and run by a worker in the lab, with something to tell.

The gateways are in memory; plan, rules, follow-up, worker and nmap are the real ones.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.events import ScanCompleted
from cascan.findings import build_findings
from cascan.findings.by_host import group_by_host
from cascan.forms import read_request
from cascan.model.cascade import CascadeLine
from cascan.model.finding import Finding
from cascan.model.policy_profile import PolicyProfile
from cascan.model.request import ScanRequest
from cascan.model.scan import Outcome, ScanState
from cascan.nmap.report.read import read_report
from cascan.permissions.permissions import Permissions
from cascan.scans.close import build_end_event
from on_scan_completed.follow_up import CascadeRunner
from tests.fakes import MemoryEventBus, MemoryScanTable
from tests.fakes.cascades import MemoryCascadeTable, MemoryRequestQueue, MemoryRuleTable
from tests.lab import Lab
from tests.lab.network import HOSTS
from tests.lab.one_shard import SCOPE
from tests.support.builders import NOW, SCAN_ID, clock
from tests.support.cascading import a_finding, a_parent

pytestmark = pytest.mark.e2e
SAFE, INTRUSIVE = PolicyProfile.SAFE, PolicyProfile.INTRUSIVE
WITH_NAMES = 'mount --bind "$0" /etc/hosts && exec "$@"'  # in a mount namespace of its own


@pytest.fixture(scope="module")
def hosts(network_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Names:
    """The lab, whose hosts have names: without, each scan waits for the answer of a name server that nobody reaches."""
    file = tmp_path_factory.mktemp("names") / "hosts"
    file.write_text("".join(f"{address} {name}.lab.example\n" for name, address in HOSTS.items()))
    return Names(network_lab, file)


@dataclass(frozen=True)
class Names:
    lab: Lab
    file: Path


@dataclass(frozen=True)
class Followed:
    """What came of a scan's completion: the body of each request that was sent, and what was not followed."""

    requests: list[str]
    lines: tuple[CascadeLine, ...]


def scanned(hosts: Names, request: str, policy: PolicyProfile = SAFE) -> list[Finding]:
    """The findings of a request that a worker runs in the lab, in one shard."""
    named = ("unshare", "--mount", "sh", "-c", WITH_NAMES, str(hosts.file))
    ran = hosts.lab.run(*named, sys.executable, "-m", "tests.lab.one_shard", policy, input=request)
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    assert (answer["did"], answer["run"]["exit_code"]) == ("reported", 0)
    report = read_report(BytesIO(answer["report"].encode()))
    return [finding for host in report for finding in build_findings(host, SCAN_ID, NOW)]


def discovered(hosts: Names, host: str, *parameters: str) -> list[Finding]:
    """What a first scan, of ports alone, finds at a host of the lab."""
    return scanned(hosts, json.dumps({"targets": [HOSTS[host]], "parameters": ["-Pn", "-n", *parameters]}))


def followed(rule: str, findings: list[Finding], policy: PolicyProfile = SAFE) -> Followed:
    """The completion of a scan that found them, with one bundled rule."""
    scan = msgspec.structs.replace(
        a_parent(), state=ScanState.PARSE_COMPLETED, outcome=Outcome.COMPLETE, finished_at=NOW, shards_open=0
    )
    table, cascades, requests = MemoryScanTable(), MemoryCascadeTable(), MemoryRequestQueue()
    table.create_scan(scan)
    table.put_findings(scan.scan_id, group_by_host(findings))
    follower = CascadeRunner(
        table=table,
        cascades=cascades,
        rules=MemoryRuleTable(),
        requests=requests,
        bus=MemoryEventBus(),
        permit=Permissions(SCOPE, policy),
        clock=clock,
        bundled=lambda: {rule: read_bundled_rules()[rule]},
    )
    event = build_end_event(scan)
    assert isinstance(event, ScanCompleted)
    follower.follow_up(event)
    return Followed(requests.sent, cascades.records[scan.scan_id].lines)


def the_request(found: Followed) -> ScanRequest:
    (body,) = found.requests
    return read_request(body, is_issued=True).request


def told(findings: list[Finding]) -> dict[tuple[str, int], dict[str, Any]]:
    """What scripts found: its attributes, by name and port."""
    return {
        (found.name, found.attributes["port"]): found.attributes for found in findings if "script" in found.attributes
    }


def test_tls_ciphers_of_a_tls_port_are_listed_where_the_operator_allows_intrusive_scripts(hosts: Names) -> None:
    findings = discovered(hosts, "tls", "-p", "80,443")
    refused = followed("nmap-tls-ciphers", findings)
    assert refused.requests == []
    assert ["intrusive" in line.reason for line in refused.lines] == [True]

    child = followed("nmap-tls-ciphers", findings, INTRUSIVE)
    assert the_request(child).parameters == ("-Pn", "-n", "-p443", "--script", "ssl-enum-ciphers")
    found = told(scanned(hosts, child.requests[0], INTRUSIVE))
    assert found.keys() == {("TLS Service", 443)}
    assert "TLS 1.2" in found["TLS Service", 443]["tls_versions"]
    assert "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" in found["TLS Service", 443]["cipher_suites"]


def test_an_snmp_agent_is_asked_by_udp_what_it_is(hosts: Names) -> None:
    child = followed("nmap-snmp", discovered(hosts, "ssh", "-sU", "-p", "161"))
    assert the_request(child).scan_type == "nmap-privileged"
    found = told(scanned(hosts, child.requests[0]))
    assert found.keys() == {("SNMP Service", 161), ("SNMP Community guessed", 161)}
    assert found["SNMP Service", 161]["told"]["enterprise"] == "net-snmp"


def test_a_remote_desktop_is_asked_for_its_encryption_and_its_names(hosts: Names) -> None:
    child = followed("nmap-rdp", discovered(hosts, "desk", "-p", "3306,3389"))
    found = told(scanned(hosts, child.requests[0]))
    assert found.keys() == {
        ("RDP without Network Level Authentication", 3389),
        ("Weak RDP Encryption", 3389),
        ("Windows Host Names", 3389),
    }
    assert found["Windows Host Names", 3389]["told"]["DNS_Computer_Name"] == "desk.lab.example"
    assert found["RDP without Network Level Authentication", 3389]["security_layers"] == ["Native RDP", "SSL"]


def test_the_databases_of_a_host_are_asked_in_one_scan(hosts: Names) -> None:
    child = followed("nmap-databases", discovered(hosts, "desk", "-p", "1433,3306,3389,6379,9160,11211,27017"))
    assert the_request(child).parameters[2] == "-p3306,6379,9160,11211,27017"
    found = told(scanned(hosts, child.requests[0]))
    assert found.keys() == {
        ("MySQL Service", 3306),
        ("Redis without Authentication", 6379),
        ("Cassandra without Authentication", 9160),
        ("Memcached without Authentication", 11211),
        ("MongoDB Service", 27017),
    }


def test_a_sql_server_is_asked_for_its_version(hosts: Names) -> None:
    child = followed("nmap-ms-sql", discovered(hosts, "desk", "-p", "1433,3306"))
    (found,) = [finding for finding in scanned(hosts, child.requests[0]) if finding.category == "Open Port"]
    product = found.attributes["serviceProduct"], found.attributes["serviceVersion"]
    assert (found.attributes["port"], *product) == (1433, "Microsoft SQL Server 2017", "14.00.1000")


def test_the_host_behind_a_subdomain_is_scanned_by_its_name(hosts: Names) -> None:
    subdomain = a_finding(category="Subdomain", location="web.lab.example", attributes={"hostname": "web.lab.example"})
    child = followed("nmap-hostscan", [subdomain, *discovered(hosts, "web", "-p", "80")])
    assert the_request(child).targets == ("web.lab.example",)
    found = [finding for finding in scanned(hosts, child.requests[0]) if finding.category == "Open Port"]
    assert {(finding.attributes["hostname"], finding.attributes["port"]) for finding in found} == {
        ("web.lab.example", 80),
        ("web.lab.example", 8080),
    }
