"""What leaves the stack has no secret that a script found, in whichever form the script wrote it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cascan.findings.redact import (
    CREDENTIAL_SCRIPTS,
    redact_finding,
    redact_parameters,
    redact_script_output,
)
from cascan.findings.redact_text import REDACTED
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Port, Script
from tests.data.documented import documented, installed
from tests.unit.cascan.findings.test_findings import all_findings

SECRET = "hunter2-Zq9"
BRUTE_DATA = {"Accounts": [{"username": "root", "password": SECRET, "state": "Valid credentials"}]}
FORMS: list[tuple[str, Any]] = [
    (f"\n  Accounts: \n    root:{SECRET} - Valid credentials\n", None),
    (f"\n  root:{SECRET} => Valid credentials\n", None),
    (f"\n  {SECRET} - Valid credentials\n", None),
    (SECRET, None),
    (f"x {SECRET}", BRUTE_DATA),
    (f"x {SECRET}", {"Product": {"path": "/", "credentials": [{"username": "admin", "password": SECRET}]}}),
    (
        f"VULNERABLE: {SECRET}",
        {"X": {"title": "A title", "state": "VULNERABLE", "ids": ["CVE:CVE-2010-2861"], "extra_info": [SECRET]}},
    ),
]


def credential_scripts() -> list[str]:
    return sorted(name for name in installed() if name in CREDENTIAL_SCRIPTS or name.endswith("-brute"))


def find_all(script: str, output: str, data: Any, *, state: str = "open", on_host: bool = False) -> list[Finding]:
    run = Script(script, output, data)
    port = Port(protocol="tcp", number=1000, state=state, scripts=() if on_host else (run,))
    address = Address("192.0.2.1", "ipv4")
    host = Host(state="up", addresses=(address,), ports=(port,), scripts=(run,) if on_host else ())
    return list(all_findings(host))


def encode(findings: list[Finding]) -> str:
    return msgspec.json.encode([redact_finding(finding) for finding in findings]).decode()


@pytest.mark.parametrize(
    "script", credential_scripts() or [pytest.param("", marks=pytest.mark.skip("no nmap scripts"))]
)
@pytest.mark.parametrize("output_and_data", FORMS, ids=range(len(FORMS)))
def test_a_secret_is_in_no_part_of_any_finding(script: str, output_and_data: tuple[str, Any]) -> None:
    output, data = output_and_data
    for state, on_host in (("open", False), ("closed", False), ("open", True)):
        findings = find_all(script, output, data, state=state, on_host=on_host)
        assert SECRET in msgspec.json.encode(findings).decode()
        assert SECRET not in encode(findings)


@pytest.mark.parametrize(
    ("script", "secrets"),
    [
        ("creds-summary", ("redjohn", "secret11")),
        ("http-barracuda-dir-traversal", ("123456",)),
        ("http-coldfusion-subzero", ("AA251FD567358F16B7DE3F3B22DE8193A7517CD0",)),
        ("ldap-novell-getpass", ("foobar",)),
        ("ms-sql-dump-hashes", ("0x0100",)),
        ("http-majordomo2-dir-traversal", ("root:x:0:0",)),
        ("netbus-info", ("password123",)),
        ("mysql-dump-hashes", ("9B500343BC52E2911172EB52AE5CF4847604C6E5",)),
        ("snmp-brute", ("dragon", "jordan")),
        ("snmp-hh3c-logins", ("h3capadmin",)),
        ("supermicro-ipmi-conf", ("ThIsIsApAsSwOrD",)),
    ],
)
def test_the_secrets_that_nmap_documents_are_redacted(script: str, secrets: tuple[str, ...]) -> None:
    if script not in installed():
        pytest.skip(f"no script {script} here")
    findings = [finding for run in documented(script) for finding in find_all(script, run.output, run.data)]
    before = msgspec.json.encode(findings).decode()
    after = encode(findings)
    assert all(secret in before and secret not in after for secret in secrets)


def test_the_account_and_an_empty_password_stay() -> None:
    (guessed,) = (finding for finding in find_all("ssh-brute", "x", BRUTE_DATA) if finding.name == "Guessed Account")
    (account,) = redact_finding(guessed).attributes["accounts"]
    assert account == {"username": "root", "password": REDACTED, "state": "Valid credentials"}
    empty = guessed.attributes["accounts"][0] | {"password": ""}
    kept = msgspec.structs.replace(guessed, attributes=guessed.attributes | {"accounts": [empty]})
    assert redact_finding(kept).attributes["accounts"] == [empty]


def test_other_findings_and_other_scripts_stay_as_they_are() -> None:
    (finding,) = find_all("http-title", "A page", None)[:1]
    assert redact_finding(finding) is finding
    assert redact_script_output("http-title", "A page") == "A page"
    assert redact_script_output("ssh-brute", "root:x - Valid credentials") == REDACTED


def test_stored_attributes_of_any_shape_are_redacted() -> None:
    finding = find_all("http-title", "A page", None)[0]
    shapes = {"accounts": ["root:x", None, {"username": "a", "hash": "abc"}], "script": ["no text"], "scripts": "text"}
    odd = msgspec.structs.replace(finding, attributes=shapes)
    assert redact_finding(odd).attributes["accounts"] == [REDACTED, REDACTED, {"username": "a", "hash": REDACTED}]


@pytest.mark.parametrize(
    ("parameters", "redacted"),
    [
        (("-p", "22"), ("-p", "22")),
        (("--script-args", "smbuser=a,smbpassword=s3"), ("--script-args", "smbuser=a,smbpassword=(redacted)")),
        (("--script-args=x.pass='a,b',y=1",), ("--script-args=x.pass=(redacted),y=1",)),
        (("-script-args", 'creds.global="a:\\"b",z=1'), ("-script-args", "creds.global=(redacted),z=1")),
        (("--script-args", "smbuser=a, smbpassword = s3"), ("--script-args", "smbuser=a, smbpassword=(redacted)")),
        (("--script-args", "smbhash=aad3b4:31d6"), ("--script-args", "smbhash=(redacted)")),
        (("--script-args", "http-google-malware.api=K"), ("--script-args", "http-google-malware.api=(redacted)")),
        (("--script-args", "a=1,creds={x='u:p',y={z}},b=2"), ("--script-args", "a=1,creds=(redacted)")),
        (("--script-args", "x={snmpcommunity=public,a=1}"), ("--script-args", "x={snmpcommunity=(redacted),a=1}")),
    ],
)
def test_values_of_script_arguments_that_are_secret_are_redacted(
    parameters: tuple[str, ...], redacted: tuple[str, ...]
) -> None:
    assert redact_parameters(parameters) == redacted


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("http-comments-displayer", f"<!-- TODO: admin password={SECRET} -->"),
        ("http-grep", f"ftp://anna:{SECRET}@files.test/"),
        ("http-robots.txt", f"/api?token={SECRET}"),
        ("snmp-info", f"community: {SECRET}"),
        ("http-title", f"Did not follow redirect to https://login.test/?token={SECRET}"),  # its description quotes it
        ("banner", f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----"),
    ],
)
def test_what_has_the_form_of_a_secret_is_in_no_finding_of_any_script(script: str, output: str) -> None:
    for data in (None, {"comments": [output]}, {"password": SECRET}):
        findings = find_all(script, output, data)
        assert SECRET in msgspec.json.encode(findings).decode()
        assert SECRET not in encode(findings)
    assert SECRET not in redact_script_output(script, output)
