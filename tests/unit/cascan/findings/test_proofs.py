"""Findings of scripts that prove something by their text, and what is no proof."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.findings.proofs import PROOFS
from cascan.findings.proofs.proof import ANY
from cascan.model.finding import Severity
from cascan.model.host import Address, Host, Port, Script, Service
from tests.data.reports import hosts
from tests.support.no_hang import no_hang
from tests.unit.cascan.findings.test_findings import all_findings
from tests.unit.cascan.findings.test_services import read_output, script_findings, summarize

BY_ANYTHING = sorted(script for script, proofs in PROOFS.items() if any(proof.sign == ANY for proof in proofs))
FLOODS = ["\n" * 300_000, " " * 300_000, "a: " * 100_000, "  x\n" * 100_000, "a." * 150_000, "1" * 300_000]
NOTHING_FOUND = [
    "",
    "\n  ",
    "ERROR: Failed to connect to server",
    "\n  ERROR: Script execution failed (use -d to debug)",
    "[Error] Request did not return 200.",
    "Error: \"x\" is not a known mode.",
    "Couldn't find any accounts",
    "Could not read from the server",
    "Failed to authenticate",
    "\n  Failed to get a valid response",
    "No answer",
    "Not authorized to get filesystem information from server",
    "Unable to connect",
    "none",
    "false",
    "Access denied",
    "Didn't find any users!",
]  # fmt: skip
# Output that the scripts write when they found nothing, by their sources; then output that is proof, beside it.
NO_PROOF = [
    ("acarsd-info", "\n  Authorization Required: 1"),
    ("amqp-info", "\n  mechanisms: PLAIN AMQPLAIN"),
    ("cics-info", "\n  Security: Enabled\n  System: \n    z/OS Version: 02.01.00"),
    ("citrix-brute-xml", "\n  Jane:secret => Account is disabled"),
    ("couchdb-databases", "\n  error = unauthorized\n  reason = You are not a server admin."),
    ("dicom-ping", "\n  dicom: DICOM Service Provider discovered!\n  config: Called AET check enabled"),
    ("dns-cache-snoop", "0 of 100 tested domains are cached.\n"),
    ("dns-check-zone", "\nDNS check results for domain: example.com\n  SOA\n    PASS - SOA REFRESH\n      in range"),
    ("dns-fuzz", "The server seems impervious to our assault."),
    ("dns-nsec-enum", "\n  No NSEC records found"),
    ("dns-nsec3-enum", "\n  DNSSEC NSEC3 not supported"),
    ("dns-random-srcport", "192.0.2.1 is GREAT: 26 queries in 1.2 seconds from 26 ports with std dev 17905"),
    ("dns-update", "\n  ERROR: Missing required script args: dns-update.hostname and dns-update.ip"),
    ("domino-enum-users", '\n  User "Ada" found, but no ID file could be downloaded'),
    ("http-csrf", "Couldn't find any CSRF vulnerabilities."),
    ("http-dombased-xss", "Couldn't find any DOM based XSS."),
    ("http-fileupload-exploiter", "\n  \n    Couldn't find a file-type field."),
    ("http-fileupload-exploiter", "\n  \n    Failed to upload and execute a payload."),
    ("http-jsonp-detection", "Couldn't find any JSONP endpoints."),
    ("http-litespeed-sourcecode-download", "Request with null byte did not work. It might not be vulnerable"),
    ("http-malware-host", "Host appears to be clean"),
    ("http-stored-xss", "Couldn't find any stored XSS vulnerabilities."),
    ("http-userdir-enum", "Didn't find any users!"),
    ("http-wordpress-users", "[Error] Wordpress installation was not found. We couldn't find wp-login.php"),
    ("iec-identify", "IEC-104 endpoint did not respond to C_IC_NA_1 request"),
    ("ipidseq", "Randomized [used port 80]"),
    ("ipmi-version", "\n  Version: IPMI-2.0\n  UserAuth: password, md5\n  PassAuth: auth_user, non_null_user"),
    ("irc-unrealircd-backdoor", "Server closed connection, possibly due to too many reconnects."),
    ("ms-sql-xp-cmdshell", "\n  [192.0.2.1\\PROD]\n    Procedure xp_cmdshell disabled."),
    ("mysql-audit", "\n  CIS MySQL Benchmarks v1.0.2\n      3.1: Skip symbolic links => PASS"),
    ("oracle-enum-users", "\n  Failed to find any valid user accounts"),
    ("p2p-conficker", "\n  Checking…\n  0/4 checks are positive: Host is CLEAN or ports are blocked"),
    ("puppet-naivesigning", "[ERROR][puppet-naivesigning] The node agentzero.localdomain is not in the CSR"),
    ("smb-enum-sessions", "\n  Users logged in\n    warning: Couldn't enumerate login sessions: DENIED"),
    ("smb-enum-users", "\n  Couldn't find any account names, sorry!"),
    ("smb-webexec-exploit", "\n  ERROR: WebExService is not installed"),
    ("smtp-enum-users", "\n  Couldn't find any accounts"),
    ("smtp-enum-users", "\n  Method RCPT returned a unhandled status code."),
    ("smtp-open-relay", "Server doesn't seem to be an open relay, all tests failed"),
    ("smtp-vuln-cve2010-4344", "\n  Exim (CVE-2010-4344): NOT VULNERABLE\n  Exim (CVE-2010-4345): NOT VULNERABLE"),
    ("sniffer-detect", 'Unknown (tests: "1_____1_")'),
    ("sniffer-detect", 'Windows with libpcap installed; may or may not be sniffing (tests: "1_1___1_")'),
    ("snmp-ios-config", "Not successful! error code: 4 (1:waiting, 2:running, 3:successful, 4:failed)"),
    ("socks-auth-info", "\n  Username and password"),
    ("tor-consensus-checker", "\n  192.0.2.1 not found in Tor consensus"),
    ("tor-consensus-checker", "Couln't connect to Tor dir authorities"),
]  # fmt: skip
PROOF = [
    ("amqp-info", "\n  mechanisms: PLAIN ANONYMOUS", ["AMQP offers anonymous Login"]),
    ("http-iis-webdav-vuln", "WebDAV is ENABLED. Folder is NOT vulnerable: secret", ["WebDAV enabled"]),
    ("http-iis-webdav-vuln", "WebDAV is DISABLED. Server is not currently vulnerable.", []),
    (
        "http-iis-webdav-vuln",
        "WebDAV is ENABLED. Folder is vulnerable: secret",
        ["IIS WebDAV Authentication Bypass", "WebDAV enabled"],
    ),
    ("http-slowloris", "\n  Probably vulnerable:\n  the DoS attack took +9m", ["Slowloris Denial of Service"]),
    ("ipmi-version", "\n  UserAuth: null, md5\n  PassAuth: non_null_user", ["IPMI without Password"]),
    ("ipmi-version", "\n  UserAuth: md5\n  PassAuth: auth_user, null_user", ["IPMI without Password"]),
    ("netbus-auth-bypass", "Not vulnerable, but password is empty", ["NetBus without Password"]),
    ("nfs-ls", "\n  Volume /srv\n    access: Read Lookup NoModify NoExtend NoDelete NoExecute", ["NFS Files readable"]),
    (
        "nfs-ls",
        "\n  Volume /srv\n    access: Read Lookup Modify Extend Delete NoExecute",
        ["NFS Files readable", "NFS Files writable"],
    ),
    ("telnet-encryption", "\n  Telnet server supports encryption", ["Telnet offers Encryption"]),
    ("telnet-encryption", "\n  Telnet server does not support encryption", ["Telnet without Encryption"]),
    ("smtp-enum-users", "\n  RCPT, root", ["Mail Users enumerated"]),
    ("smtp-enum-users", "\n  root\n  ada", ["Mail Users enumerated"]),
    (
        "smtp-vuln-cve2010-4344",
        "\n  Exim (CVE-2010-4344): VULNERABLE\n  Exim (CVE-2010-4345): NOT VULNERABLE",
        ["Exim Heap Overflow"],
    ),
]


@pytest.mark.parametrize("script", BY_ANYTHING)
@pytest.mark.parametrize("output", NOTHING_FOUND)
def test_a_script_that_failed_or_found_nothing_proves_nothing(script: str, output: str) -> None:
    assert read_output(script, output) == []


@pytest.mark.parametrize(("script", "output"), NO_PROOF)
def test_output_of_a_script_that_found_nothing_is_not_a_finding(script: str, output: str) -> None:
    assert read_output(script, output) == []


@pytest.mark.parametrize(("script", "output", "names"), PROOF)
def test_output_is_the_finding_that_it_proves_and_no_other(script: str, output: str, names: list[str]) -> None:
    assert [f.name for f in read_output(script, output)] == names


@pytest.mark.parametrize("script", PROOFS)
def test_output_that_floods_is_read_to_its_end(script: str) -> None:
    with no_hang():
        for flood in FLOODS:
            read_output(script, flood)


def test_two_proofs_of_a_script_get_two_ids() -> None:
    keys = [(script, proof.category, proof.about) for script, proofs in PROOFS.items() for proof in proofs]
    assert len(keys) == len(set(keys))


def test_a_hole_that_has_a_cve_says_so() -> None:
    (finding,) = read_output("irc-unrealircd-backdoor", "Looks like trojaned version of unrealircd.")
    assert finding.attributes["cve"] == "CVE-2010-2075"
    assert finding.attributes["references"] == [{"type": "CVE", "value": "CVE-2010-2075"}]


# ---- scripts with a structure


def test_each_iscsi_target_that_wants_no_password_is_a_finding() -> None:
    targets = {
        "iqn.2026-01.example:open": {"Address": "192.0.2.1:3260,1", "Authentication": "NOT required"},
        "iqn.2026-01.example:shut": {"Authentication": "required", "Auth reason": "Authentication failure"},
        "iqn.2026-01.example:also": {"Authentication": "NOT required"},
    }
    findings = read_output("iscsi-info", data=targets)
    assert [f.attributes["target"] for f in findings] == ["iqn.2026-01.example:open", "iqn.2026-01.example:also"]
    assert len({f.id for f in findings}) == 2
    text = "".join(
        f"\n  {name}: " + "".join(f"\n    {key}: {value}" for key, value in row.items())
        for name, row in targets.items()
    )
    assert [f.id for f in read_output("iscsi-info", text)] == [f.id for f in findings]  # as an old nmap wrote it


@pytest.mark.parametrize(
    ("access", "severity"),
    [("READ", Severity.MEDIUM), ("READ/WRITE", Severity.HIGH), ("WRITE", Severity.HIGH), ("<none>", None), ("", None)],
)
def test_a_share_is_a_finding_where_it_is_open_without_an_account(access: str, severity: Severity | None) -> None:
    share = {"Type": "STYPE_DISKTREE", "Anonymous access": access, "Current user access": "READ/WRITE"}
    findings = read_output("smb-enum-shares", data={"account_used": "guest", "\\\\192.0.2.1\\pub": share})
    assert [f.severity for f in findings] == [severity] * (severity is not None)
    ipc = {"Type": "STYPE_IPC_HIDDEN", "Anonymous access": "READ/WRITE"}
    assert read_output("smb-enum-shares", data={"\\\\192.0.2.1\\IPC$": ipc}) == []


@pytest.mark.parametrize(
    ("kind", "bits", "severity"),
    [("ssh-rsa", "1024", "MEDIUM"), ("ssh-rsa", "768", "HIGH"), ("ssh-dss", "1024", "MEDIUM"), ("ssh-rsa", "2048", "")],
)
def test_a_host_key_that_is_too_short_is_a_finding(kind: str, bits: str, severity: str) -> None:
    row: dict[str, Any] = {"type": kind, "bits": bits, "fingerprint": "00", "key": "…"}
    findings = read_output("ssh-hostkey", data=[row, {"type": "ssh-ed25519", "bits": "256"}])
    assert [f.severity.value for f in findings] == ([severity] if severity else [])
    beside = read_output("ssh-hostkey", data={"": [row], "Key comparison with known_hosts file": {"GOOD": []}})
    assert [f.id for f in beside] == [f.id for f in findings]


def test_host_keys_of_an_old_nmap_are_read_from_its_text() -> None:
    output = (
        "\n  1024 60:ac:4d:51:b1:cd:85:09:12:16:92:76:1d:5d:27:6e (DSA)\n  2048 2c:22:75 (RSA)\n  256 00:11 (ECDSA)"
    )
    assert summarize(read_output("ssh-hostkey", output)) == [("Weak SSH Host Key (DSA)", "MEDIUM")]


@pytest.mark.parametrize(("tunnel", "names"), [("", ["HTTP Basic Authentication without TLS"]), ("ssl", [])])
def test_basic_authentication_is_a_finding_where_nothing_encrypts_it(tunnel: str, names: list[str]) -> None:
    output = "\nHTTP/1.1 401 Unauthorized\\x0D\n  Basic realm=desk"
    script = Script("http-auth", output, [{"scheme": "Basic", "params": {"realm": "desk"}}])
    port = Port(protocol="tcp", number=80, state="open", service=Service(name="http", tunnel=tunnel), scripts=(script,))
    host = Host(state="up", addresses=(Address("192.0.2.1", "ipv4"),), ports=(port,))
    assert [f.name for f in all_findings(host) if f.attributes.get("script") == "http-auth"] == names
    assert read_output("http-auth", "\nHTTP/1.1 401 Unauthorized\n  Negotiate\n  NTLM") == []


# ---- real scripts, against services of our own


def test_services_where_nothing_is_wrong_give_no_finding_of_these_scripts() -> None:
    ran = {script.id for host in hosts("scripts/safe") for port in host.ports for script in port.scripts}
    assert {"http-stored-xss", "http-csrf", "http-dombased-xss", "http-config-backup"} <= ran
    assert [finding for script in ran for finding in script_findings("scripts/safe", script)] == []


def test_a_share_that_anyone_may_write_is_a_finding_at_the_port_that_was_asked() -> None:
    (share,) = script_findings("scripts/shares", "smb-enum-shares")
    assert (share.attributes["share"], share.attributes["anonymous_access"]) == ("\\\\127.0.0.1\\public", "READ/WRITE")
    assert (share.location, share.severity) == ("tcp://127.0.0.1:445", "HIGH")


def test_a_short_host_key_is_a_finding_and_a_long_one_is_not() -> None:
    (weak,) = script_findings("scripts/host-keys", "ssh-hostkey")
    assert (weak.attributes["port"], weak.attributes["key_bits"]) == (2200, 1024)


def test_the_same_proof_on_two_protocols_is_two_findings() -> None:
    tcp, udp = script_findings("scripts/dns", "dns-update")
    assert (tcp.location, udp.location) == ("tcp://127.0.0.1:53", "udp://127.0.0.1:53")
    assert tcp.id != udp.id


HOSTILE = "<script>alert(1)</script> {{7*7}} ${jndi:x} =cmd|'/C calc'!A0 \x1b[31m \u202e"


def test_text_of_the_host_is_carried_as_it_came_and_stays_out_of_name_and_description() -> None:
    (finding,) = read_output("finger", f"Login Name\n{HOSTILE}")
    assert HOSTILE in finding.attributes["output"]
    assert HOSTILE not in finding.name + finding.description
