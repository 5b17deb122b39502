"""Findings of nmap's 67 brute scripts: from structure under any title, from text, in every state that is proof."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.model.finding import Finding, Severity
from tests.data.documented import documented, installed
from tests.unit.cascan.findings.test_services import read_output, script_findings

ROOT = {"username": "root", "password": "toor"}
GUESS_OTHER_THINGS = {
    "dns-brute": "host names",
    "http-iis-short-name-brute": "file names, reported through the vulns library",
    "oracle-sid-brute": "names of databases",
    "rtsp-url-brute": "addresses of streams",
}
WITHOUT_DOCUMENTED_OUTPUT = {"sip-brute"}


def guessed(findings: list[Finding]) -> Finding:
    (finding,) = [finding for finding in findings if finding.name == "Guessed Account"]
    return finding


def accounts(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(a["username"], a["password"], a["state"]) for a in guessed(findings).attributes["accounts"]]


def brute_scripts() -> list[str]:
    return sorted(script for script in installed() if script.endswith("-brute"))


def structured_brute_scripts() -> list[str]:
    return [script for script in brute_scripts() if script != "netbus-brute"]  # its text alone is the password


@pytest.mark.parametrize(
    "script", structured_brute_scripts() or [pytest.param("", marks=pytest.mark.skip("no nmap scripts"))]
)
def test_each_brute_script_gives_the_account_that_it_reports_as_structure(script: str) -> None:
    data = {"Accounts": [ROOT | {"state": "Valid credentials"}], "Statistics": "Performed 1 guesses in 1 seconds"}
    assert accounts(read_output(script, "x", data)) == [("root", "toor", "Valid credentials")]


@pytest.mark.parametrize("script", brute_scripts() or [pytest.param("", marks=pytest.mark.skip("no nmap scripts"))])
def test_each_brute_script_gives_the_account_that_its_documentation_shows(script: str) -> None:
    findings = [finding for run in documented(script) for finding in read_output(script, run.output, run.data)]
    names = {finding.name for finding in findings}
    expected = script not in GUESS_OTHER_THINGS and script not in WITHOUT_DOCUMENTED_OUTPUT
    assert ("Guessed Account" in names) == expected


def test_a_community_string_in_a_list_without_a_title_is_a_guessed_account() -> None:
    """The report is one that snmp-brute of nmap 7.93 wrote."""
    (finding,) = script_findings("scripts/snmp-brute", "snmp-brute")
    assert accounts([finding]) == [("", "public", "Valid credentials")]
    assert finding.severity is Severity.HIGH


@pytest.mark.parametrize("title", ["Accounts", "TSO Accounts", "CICS User Accounts", "Node Name(s)", "NJE Password"])
def test_accounts_are_found_under_whatever_title_the_script_gives_them(title: str) -> None:
    data = {title: [ROOT | {"state": "Valid credentials"}], "Statistics": "Performed 1 guesses"}
    assert accounts(read_output("tso-brute", "x", data)) == [("root", "toor", "Valid credentials")]


STATES_OF_THE_CREDS_LIBRARY = [
    ("Valid credentials", Severity.HIGH),
    ("Valid credentials, password must be changed at next logon", Severity.HIGH),
    ("Valid credentials, account expired", Severity.HIGH),
    ("Valid credentials, account cannot log in at current time", Severity.HIGH),
    ("Valid credentials, account cannot log in from current host", Severity.HIGH),
    ("Valid credentials, account locked", Severity.MEDIUM),
    ("Valid credentials, account disabled", Severity.MEDIUM),
    ("Account is locked", None),
    ("Account is disabled", None),
    ("Credentials passed to script during Nmap execution", None),
    ("User logged on. Skipped.", None),
]


@pytest.mark.parametrize(("state", "severity"), STATES_OF_THE_CREDS_LIBRARY)
@pytest.mark.parametrize("form", ["structure", "text", "arrow"])
def test_a_state_counts_if_the_password_is_right_and_is_kept(state: str, severity: Severity | None, form: str) -> None:
    data = {"Accounts": [ROOT | {"state": state}]} if form == "structure" else None
    separator = "=>" if form == "arrow" else "-"
    findings = read_output("http-brute", f"\n  Accounts: \n    root:toor {separator} {state}\n", data)
    if severity is None:
        assert findings == []
    else:
        assert accounts(findings) == [("root", "toor", state)]
        assert guessed(findings).severity is severity


def test_one_usable_account_among_locked_ones_is_high() -> None:
    locked, usable = ROOT | {"state": "Valid credentials, account locked"}, ROOT | {"state": "Valid credentials"}
    assert guessed(read_output("http-brute", "x", {"Accounts": [locked, usable]})).severity is Severity.HIGH


@pytest.mark.parametrize(
    ("script", "line", "account"),
    [
        ("smb-brute", "administrator:password => Valid credentials", ("administrator", "password")),
        ("smb-brute", "<blank>:<blank> => Valid credentials, account granted guest access only", ("", "")),
        ("afp-brute", "admin:KenSentMe => Valid credentials", ("admin", "KenSentMe")),
        ("ms-sql-brute", "webshop:secret => Login Success", ("webshop", "secret")),
        ("ms-sql-brute", "test:secret => PasswordMustChange", ("test", "secret")),
        ("pgsql-brute", "root:<empty> => Valid credentials", ("root", "")),
        ("pgsql-brute", "postgres => Trusted authentication", ("postgres", "")),
        ("citrix-brute-xml", "Luke:summer => Login was successful", ("Luke", "summer")),
        ("ldap-brute", "cn=a,dc=b:c:d => Valid credentials, account expired", ("cn=a,dc=b", "c:d")),
        ("vnc-brute", "hunter2 - Valid credentials", ("", "hunter2")),
        ("ssh-brute", "root:a - b => c - Valid credentials", ("root", "a - b => c")),
    ],
)
def test_a_line_of_text_names_the_account(script: str, line: str, account: tuple[str, str]) -> None:
    assert [found[:2] for found in accounts(read_output(script, f"\n  {line}\n"))] == [account]


def test_nmap_5_lists_valid_accounts_without_their_state() -> None:
    text = "\n  Accounts\n    root:toor\n  Statistics\n    Performed 4 guesses in 1 seconds, average tps: 4"
    assert accounts(read_output("telnet-brute", text)) == [("root", "toor", "Valid credentials")]


def test_the_whole_output_of_netbus_brute_is_the_password() -> None:
    assert accounts(read_output("netbus-brute", "password123")) == [("", "password123", "Valid credentials")]
    assert accounts(read_output("netbus-brute", "<empty>")) == [("", "", "Valid credentials")]


def test_an_account_that_a_script_lists_twice_is_listed_once() -> None:
    row = ROOT | {"state": "Valid credentials"}
    assert len(accounts(read_output("http-brute", "x", {"Accounts": [row, dict(row)]}))) == 1


@pytest.mark.parametrize(
    ("script", "output", "data"),
    [
        ("http-brute", "\n  Accounts: No valid accounts found\n  Statistics: Performed 9 guesses", None),
        ("http-brute", "x", {"Accounts": "No valid accounts found", "Statistics": "Performed 9 guesses"}),
        ("smb-brute", "\n  No accounts found\n", None),
        ("smb-brute", "\n  Locked accounts found: root, admin\n", None),
        ("smb-brute", "\n  root:toor => Invalid credentials\n", None),
        ("ms-sql-brute", "\n  [a]\n    No credentials found\n    Warnings:\n      sa: AccountLockedOut\n", None),
        ("citrix-brute-xml", "\n  Jane:secret => Account is disabled", None),
        ("http-brute", '\n  Path "/" does not require authentication', None),
        ("ftp-brute", "ERROR: root:toor - Valid credentials", None),
        ("x-brute", "x", {"Accounts": [["root", "toor"]], "Statistics": {"state": ["Valid credentials"]}}),
    ],
)
def test_output_that_is_not_proof_gives_nothing(script: str, output: str, data: Any) -> None:
    assert read_output(script, output, data) == []


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("vnc-brute", "\n  ERROR: No authentication required"),
        ("redis-brute", "\n  ERROR: Server does not require authentication"),
        ("mongodb-brute", "No authentication needed"),
        ("mmouse-brute", "\n  Server has no password"),
        ("dpap-brute", "Library has no password"),
        ("iscsi-brute", "No authentication required"),
        ("cassandra-brute", "Any username and password would do, 'default' was used to test."),
        ("dicom-brute", "DICOM SCU allows any AET"),
    ],
)
def test_a_service_that_asks_for_no_password_is_a_finding(script: str, output: str) -> None:
    if output.lstrip().startswith("ERROR:"):
        output = f"\n  Statistics: Performed 0 guesses{output}"
    (finding,) = read_output(script, output)
    assert (finding.name, finding.category, finding.severity) == (
        "No Password required",
        "Unauthenticated Access",
        Severity.HIGH,
    )
