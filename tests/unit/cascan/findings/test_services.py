"""Findings of SSH, SMB, HTTP, databases, remote desktops, and of services that let anyone in."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Port, Script
from tests.data.reports import hosts
from tests.unit.cascan.findings.test_findings import all_findings


def script_findings(name: str, script: str, port: int | None = None) -> list[Finding]:
    """Findings of the script in the report."""
    findings = [finding for host in hosts(name) for finding in all_findings(host)]
    wanted = [f for f in findings if f.attributes.get("script") == script]
    return [f for f in wanted if port is None or f.attributes["port"] == port]


def summarize(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.name, f.severity.value) for f in findings]


def read_output(script: str, output: str = "…", data: Any = None) -> list[Finding]:
    """Findings of one script with this output, at port 1000."""
    port = Port(protocol="tcp", number=1000, state="open", scripts=(Script(script, output, data),))
    host = Host(state="up", addresses=(Address("192.0.2.1", "ipv4"),), ports=(port,))
    return [finding for finding in all_findings(host) if finding.attributes.get("script") == script]


def test_ssh_algorithms_to_give_up_are_a_finding_a_kind() -> None:
    service, *weak = script_findings("scripts/ssh", "ssh2-enum-algos", 22)
    assert (service.name, service.category) == ("SSH Service", "SSH Service")
    assert "curve25519-sha256" in service.attributes["key_exchange_algorithms"]
    assert [(f.name, f.severity, f.attributes["algorithms"]) for f in weak] == [
        ("Insecure SSH KEX Algorithms", "MEDIUM", ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1"]),
        ("Insecure SSH Key Algorithms", "LOW", ["ssh-rsa"]),
        ("Insecure SSH Encryption Algorithms", "MEDIUM", ["3des-cbc", "aes128-cbc"]),
        ("Insecure SSH MAC Algorithms", "MEDIUM", ["hmac-md5", "hmac-sha1"]),
    ]
    assert {f.category for f in weak} == {"SSH Policy Violation"}


def test_ssh_modern_algorithms_give_the_service_and_nothing_else() -> None:
    assert summarize(script_findings("scripts/ssh", "ssh2-enum-algos", 2222)) == [("SSH Service", "INFORMATIONAL")]


@pytest.mark.parametrize(
    ("key", "name", "severities"),
    [
        ("kex_algorithms", "diffie-hellman-group14-sha256", []),
        ("kex_algorithms", "diffie-hellman-group-exchange-sha1", ["LOW"]),
        ("kex_algorithms", "gss-gex-sha1-toWM5Slw5Ew8Mqkay+al2g==", ["LOW"]),
        ("server_host_key_algorithms", "rsa-sha2-512", []),
        ("server_host_key_algorithms", "ssh-dss", ["MEDIUM"]),
        ("encryption_algorithms_client_to_server", "arcfour256", ["MEDIUM"]),
        ("encryption_algorithms_server_to_client", "rijndael-cbc@lysator.liu.se", ["LOW"]),
        ("encryption_algorithms", "chacha20-poly1305@openssh.com", []),
        ("mac_algorithms", "hmac-sha1-96", ["MEDIUM"]),
        ("mac_algorithms", "hmac-sha1-etm@openssh.com", ["LOW"]),
        ("mac_algorithms", "umac-128-etm@openssh.com", []),
    ],
)
def test_ssh_a_broken_algorithm_is_worse_than_an_outdated_one(key: str, name: str, severities: list[str]) -> None:
    assert [f.severity.value for f in read_output("ssh2-enum-algos", data={key: [name]})[1:]] == severities


def test_ssh_a_password_can_be_guessed_and_a_key_cannot() -> None:
    (password,) = script_findings("scripts/ssh", "ssh-auth-methods", 22)
    assert summarize([password]) == [("Discouraged SSH authentication methods", "LOW")]
    assert password.attributes["auth_methods"] == ["publickey", "password", "keyboard-interactive"]
    assert read_output("ssh-auth-methods", data={"Supported authentication methods": ["publickey"]}) == []
    assert script_findings("scripts/ssh", "ssh-auth-methods", 2222) == []  # "ERROR: Script execution failed"


def test_ssh_1_and_a_login_without_anything_are_findings_of_high_severity() -> None:
    assert summarize(script_findings("oddities/old-scripts", "sshv1")) == [
        ("SSH Version 1 is considered insecure", "HIGH")
    ]
    assert summarize(script_findings("oddities/old-scripts", "ssh-auth-methods")) == [
        ("SSH Login without Authentication", "HIGH")
    ]


@pytest.mark.parametrize(
    ("script", "protocol"), [("smb-security-mode", "SMB 1"), ("smb2-security-mode", "SMB 2 and 3")]
)
def test_smb_signing_that_is_not_required_is_a_finding_of_its_protocol_at_the_port_that_was_asked(
    script: str, protocol: str
) -> None:
    (finding,) = script_findings("scripts/smb", script)
    assert summarize([finding]) == [(f"SMB Signing not required ({protocol})", "MEDIUM")]
    assert (finding.location, finding.category) == ("tcp://127.0.0.1:445", "SMB")
    assert script_findings("scripts/smb-signed", script) == []


def test_smb_an_old_server_says_all_that_is_wrong_in_text() -> None:
    assert summarize(script_findings("oddities/old-scripts", "smb-security-mode")) == [
        ("SMB Signing not required (SMB 1)", "MEDIUM"),
        ("SMB Passwords in Clear Text", "HIGH"),
        ("SMB Share-Level Authentication", "MEDIUM"),
    ]
    (finding,) = script_findings("oddities/old-scripts", "smb2-security-mode")
    assert finding.attributes["message_signing"] == "SMB 2: message signing is disabled and not required"


@pytest.mark.parametrize("port", [80, 443])
def test_http_each_script_is_one_finding_of_what_it_saw(port: int) -> None:
    (title,) = script_findings("scripts/http", "http-title", port)
    assert (title.attributes["title"], title.category, title.severity) == ("Fixture", "HTTP", "INFORMATIONAL")
    (server,) = script_findings("scripts/http", "http-server-header", port)
    assert (server.name, server.attributes["server"]) == ("HTTP Server Header", ["FixtureServer/2.4.1"])
    (headers,) = script_findings("scripts/http", "http-headers", port)
    assert headers.attributes["headers"]["x-frame-options"] == "DENY"
    (methods,) = script_findings("scripts/http", "http-methods", port)
    assert summarize([methods]) == [("Risky HTTP Methods", "LOW")]
    assert methods.attributes["risky_methods"] == ["PUT", "DELETE", "TRACE"]
    assert "GET" in methods.attributes["methods"]


def test_http_a_security_header_is_missing_where_the_script_did_not_see_it() -> None:
    def missing(port: int) -> list[str]:
        (finding,) = script_findings("scripts/http", "http-security-headers", port)
        return list(finding.attributes["missing_headers"])

    assert missing(80) == ["X-Content-Type-Options", "Content-Security-Policy"]
    assert missing(443) == ["Strict-Transport-Security", "X-Content-Type-Options", "Content-Security-Policy"]


def test_http_a_server_with_every_header_and_one_without_output_have_no_finding() -> None:
    every = {"X_Frame_Options": ["Header: …"], "X_Content_Type_Options": ["…"], "Content_Security_Policy": ["…"]}
    assert read_output("http-security-headers", data=every) == []
    assert read_output("http-security-headers", "") == []


def test_http_a_redirect_that_was_not_followed_is_the_title() -> None:
    (title,) = read_output("http-title", "Did not follow redirect to https://x/", {"redirect_url": "https://x/"})
    assert title.attributes["redirect_url"] == "https://x/"


def test_http_a_repository_that_lies_open_is_a_finding_by_its_path() -> None:
    (finding,) = script_findings("scripts/http", "http-git", 80)
    assert summarize([finding]) == [("Git Repository exposed", "MEDIUM")]
    assert finding.attributes["path"] == "/.git/"
    assert set(finding.attributes["files"]) == {".git/config", ".git/description"}


def test_a_default_account_is_a_finding_a_product() -> None:
    (finding,) = script_findings("scripts/http-accounts", "http-default-accounts")
    assert (finding.name, finding.severity, finding.category) == (
        "Default Account: Apache Tomcat",
        "HIGH",
        "Default Account",
    )
    assert finding.attributes["accounts"] == [{"username": "tomcat", "password": "tomcat"}]
    assert finding.attributes["path"] == "/manager/html/"


def test_an_account_that_was_guessed_is_a_finding_and_one_that_is_locked_is_not() -> None:
    (finding,) = script_findings("oddities/old-scripts", "ssh-brute")
    assert summarize([finding]) == [("Guessed Account", "HIGH")]
    assert finding.attributes["accounts"] == [{"username": "admin", "password": "admin", "state": "Valid credentials"}]
    assert read_output("x-brute", data={"Accounts": [{"username": "a", "state": "Account is locked"}]}) == []


@pytest.mark.parametrize(
    ("report", "script", "name", "severity"),
    [
        ("databases", "memcached-info", "Memcached without Authentication", "HIGH"),
        ("databases", "mongodb-databases", "MongoDB without Authentication", "HIGH"),
        ("databases", "mysql-empty-password", "MySQL Account without Password", "HIGH"),
        ("databases", "redis-info", "Redis without Authentication", "HIGH"),
        ("open", "rsync-list-modules", "Rsync Modules listed", "MEDIUM"),
        ("open", "vnc-info", "VNC without Authentication", "HIGH"),
        ("open", "x11-access", "X11 without Authentication", "HIGH"),
        ("snmp", "snmp-sysdescr", "SNMP Community guessed", "MEDIUM"),
    ],
)
def test_a_service_that_lets_anyone_in_is_a_finding(report: str, script: str, name: str, severity: str) -> None:
    assert summarize(script_findings(f"scripts/{report}", script)) == [(name, severity)]


# Written after the sources of the scripts: their services are not to be had here.
@pytest.mark.parametrize(
    ("script", "output", "names"),
    [
        ("cassandra-info", "\n  Cluster name: Test Cluster\n  Version: 19.10.0", ["Cassandra without Authentication"]),
        ("couchdb-databases", "\n  1 = ledger\n  2 = users", ["CouchDB without Authentication"]),
        ("couchdb-databases", "\n  error = unauthorized\n  reason = You are not a server admin.", []),
        ("docker-version", "\n  Version: 1.1.2\n  ApiVersion: 1.13", ["Docker without Authentication"]),
        ("memcached-info", "\n  Version: 1.5\n  Authentication: yes", []),
        ("mongodb-databases", "\n  code = 13\n  errmsg = command requires authentication\n  ok = 0.0", []),
        ("vnc-info", "\n  Protocol version: 3.8\n  Security types: \n    VNC Authentication (2)", []),
        ("nfs-showmount", "\n  /home 192.0.2.0/255.255.255.0", ["NFS Exports listed"]),
        (
            "ms-sql-empty-password",
            "\n  [192.0.2.1]\n    sa:<empty> => Login Success",
            ["MS SQL Account without Password"],
        ),
        ("dns-recursion", "Recursion appears to be enabled", ["DNS Recursion for anyone"]),
        ("ftp-bounce", "bounce working!", ["FTP Bounce possible"]),
        ("ftp-bounce", "server forbids bouncing to low ports <1025", []),
        ("http-open-proxy", "Potentially OPEN proxy.\nMethods supported: GET", ["Open HTTP Proxy"]),
        ("smtp-open-relay", "Server is an open relay (1/16 tests)", ["Open Mail Relay"]),
        ("smtp-open-relay", "Server doesn't seem to be an open relay, all tests failed", []),
        ("socks-open-proxy", "\n  status: open\n  versions: \n    socks4", ["Open SOCKS Proxy"]),
        ("redis-info", "ERROR: Authentication required", []),
    ],
)
def test_only_output_that_is_proof_is_a_finding(script: str, output: str, names: list[str]) -> None:
    assert [f.name for f in read_output(script, output)] == names


@pytest.mark.parametrize(
    ("report", "script", "name", "key"),
    [
        ("scripts/databases", "mysql-info", "MySQL Service", "Version"),
        ("scripts/snmp", "snmp-info", "SNMP Service", "enterprise"),
        ("oddities/old-scripts", "rdp-ntlm-info", "Windows Host Names", "DNS_Computer_Name"),
        ("oddities/old-scripts", "ms-sql-info", "MS SQL Service", "192.0.2.40:1433"),
    ],
)
def test_what_a_service_tells_of_itself_is_a_finding_without_what_changes_by_the_minute(
    report: str, script: str, name: str, key: str
) -> None:
    (finding,) = script_findings(report, script)
    assert summarize([finding]) == [(name, "INFORMATIONAL")]
    assert key in finding.attributes["told"]
    assert not finding.attributes["told"].keys() & {
        "Salt",
        "Thread ID",
        "System_Time",
        "snmpEngineTime",
    }


def test_a_database_described_by_text_only_has_a_finding_with_the_text() -> None:
    (finding,) = script_findings("scripts/databases", "mongodb-info")
    assert "version = 4.4.1" in finding.attributes["told"]


def test_rdp_without_network_level_authentication_and_with_weak_encryption() -> None:
    nla, weak = script_findings("oddities/old-scripts", "rdp-enum-encryption", 3389)
    assert summarize([nla, weak]) == [
        ("RDP without Network Level Authentication", "MEDIUM"),
        ("Weak RDP Encryption", "MEDIUM"),
    ]
    assert nla.attributes["security_layers"] == ["Native RDP", "SSL"]
    assert weak.attributes["weak_encryption"] == ["RDP Encryption level: Client Compatible", "40-bit RC4: SUCCESS"]
    assert script_findings("oddities/old-scripts", "rdp-enum-encryption", 3390) == []
