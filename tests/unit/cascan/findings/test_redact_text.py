"""Secrets in the text of any script: which are found, what stays, and in which time."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.findings.redact_text import REDACTED, names_secret, redact_data, redact_text
from tests.support.no_hang import no_hang

SECRET = "hunter2-Zq9"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKCAQ\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"ftp://anna:{SECRET}@files.test/a", "ftp://anna:(redacted)@files.test/a"),
        (f"<!-- mysql://root:p@ss{SECRET}@db/x -->", "<!-- mysql://root:(redacted)@db/x -->"),
        ("https://0123456789abcdef0123@git.test/a", "https://(redacted)@git.test/a"),
        (f"// TODO remove password = {SECRET}, then", "// TODO remove password = (redacted), then"),
        (f'"db_password": "{SECRET} and more", "a": 1', '"db_password": (redacted), "a": 1'),
        (f"?user=a&pwd={SECRET}&x=1", "?user=a&pwd=(redacted)&x=1"),
        (f"DB_PASS => '{SECRET}'", "DB_PASS => (redacted)"),
        (f'password="{SECRET} that is cut', "password=(redacted)"),
        (f"token={SECRET * 1_000}", "token=(redacted)"),
        (f"token: {JWT.replace('In0', 'In0a' * 2_000)}", "token: (redacted)"),
        (f"ftp://anna:{SECRET * 1_000}@files.test", "ftp://anna:(redacted)@files.test"),
        (f"snmp-server community string: {SECRET} RO", "snmp-server community string: (redacted) RO"),
        (f"api_key={SECRET}", "api_key=(redacted)"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7", "aws_secret_access_key = (redacted)"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id (redacted)."),
        ("ghp_0123456789abcdefghij0123456789abcdef", "(redacted)"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic (redacted)"),
        ("Authorization: Token c2VjcmV0", "Authorization: Token (redacted)"),
        ('Authorization: Token token="c2VjcmV0"', "Authorization: Token (redacted)"),
        (rf"{{\"password\": \"{SECRET} 2\", \"a\": 1}}", r"{\"password\": (redacted), \"a\": 1}"),
        (rf"{{\\\'password\\\': \\\'{SECRET}", r"{\\\'password\\\': (redacted)"),
        ("sent Bearer 0123456789abcdef0123.xyz", "sent Bearer (redacted)"),
        (f"cookie {JWT};", "cookie (redacted);"),
        (f"a\n{KEY}\nb", "a\n(redacted)\nb"),
        (f"{KEY[:50]}", "(redacted)"),
        (f"a {KEY.lower()} b", "a (redacted) b"),
        (
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\nb",
            "(redacted)\nb",
        ),
        (f"?userpass={SECRET}&x=1", "?userpass=(redacted)&x=1"),
        ("git glpat-0123456789abcdefghij", "git (redacted)"),
        ("url xoxb-012345678901-abcdefghijkl.", "url (redacted)."),
        ("pay sk_live_0123456789abcdefghij", "pay (redacted)"),
        (f"{KEY}{KEY}", "(redacted)(redacted)"),
    ],
)
def test_a_secret_is_replaced_and_what_is_around_it_stays(text: str, expected: str) -> None:
    assert redact_text(text) == expected
    assert redact_text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Site doesn't have a title (text/html).",
        "Supported authentication methods: publickey, password, keyboard-interactive",
        "Basic realm=Router, Digest realm=x",
        "Passive: true; bypass: x; compass=north",
        'password=""',
        r"{\"password\": \"\", \"a\": 1}",
        "Password: required\n  Password authentication: yes",
        "ssh://git@files.test/a http://a.test/b@c:80",
        "message_signing: disabled, Anonymous login allowed",
        "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
        "Public Key type: rsa\nPublic Key bits: 2048",
    ],
)
def test_a_text_without_a_secret_stays_the_same_object(text: str) -> None:
    assert redact_text(text) is text


def test_a_field_holds_a_secret_if_its_name_says_so() -> None:
    assert all(map(names_secret, ("password", "db.passwd", "community", "API-Key")))
    assert not any(map(names_secret, ("passive", "key", "pubkey", "title", "fingerprint")))


@pytest.mark.parametrize(
    "unit",
    ["://", "://a:", "://a:b", "password", "password=", "pass-", 'pwd="', "bearer ", "eyJ", "-eyJ", "eyJaaaaaaaaaaa.",
     "authorization: ", "AKIA", "ghp_", "-----BEGIN PRIVATE KEY", "-----END ", "community string", " ", "a"],
)  # fmt: skip
def test_hostile_text_is_redacted_in_linear_time(unit: str) -> None:
    """A quadratic pattern would take minutes of processor time for a million characters."""
    with no_hang():
        redact_text(unit * (1_000_000 // len(unit)) + " pass")


def test_a_field_with_the_name_of_a_secret_has_none() -> None:
    data = {"login": "anna", "password": SECRET, "pin_password": 4711, "key": "rsa", "more": [f"pwd={SECRET}", 1, None]}
    assert redact_data(data) == {
        "login": "anna",
        "password": REDACTED,
        "pin_password": REDACTED,
        "key": "rsa",
        "more": [f"pwd={REDACTED}", 1, None],
    }
    nested: Any = SECRET
    for _ in range(2_000):
        nested = [nested]
    assert SECRET not in str(redact_data(nested))


def test_a_list_under_the_name_of_a_secret_loses_its_values_and_keeps_their_number() -> None:
    data = {"password": ["x", ["y"], {"user": "anna", "token": "z"}], "names": ["a"]}
    assert redact_data(data) == {
        "password": [REDACTED, [REDACTED], {"user": "anna", "token": REDACTED}],
        "names": ["a"],
    }
