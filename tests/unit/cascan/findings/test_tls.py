"""Findings of certificates, versions and ciphers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cascan.findings import build_findings
from cascan.findings.tls_certificate import matches_hostname
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Hostname, Port, Script
from tests.data.reports import hosts

SCAN = "a" * 16
V4 = Address("192.0.2.1", "ipv4")


def findings_at(
    port: int, when: datetime, name: str = "scripts/tls", script: str = "ssl-cert", **names: str
) -> list[Finding]:
    """Findings of the script at the port, in a report that is read as of `when`."""
    (host,) = hosts(name)
    findings = build_findings(host, SCAN, when, names)
    return [f for f in findings if f.attributes.get("port") == port and f.attributes.get("script") == script]


def valid(port: int) -> tuple[datetime, datetime]:
    certificate = findings_at(port, datetime(2026, 1, 1, tzinfo=UTC))[0].attributes
    return datetime.fromisoformat(certificate["not_before"]), datetime.fromisoformat(certificate["not_after"])


def flaws(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.name, f.severity.value) for f in findings if f.name != "TLS Certificate"]


def certificate(**data: Any) -> list[Finding]:
    """Findings of a certificate of our own making, at host.example, which was asked for."""
    port = Port(protocol="tcp", number=443, state="open", scripts=(Script("ssl-cert", "…", data),))
    host = Host(state="up", addresses=(V4,), hostnames=(Hostname("host.example", "user"),), ports=(port,))
    findings = build_findings(host, SCAN, datetime(2026, 1, 1, tzinfo=UTC))
    return [f for f in findings if f.attributes.get("script") == "ssl-cert"]


def test_a_valid_certificate_has_one_finding_and_no_flaw() -> None:
    start, _ = valid(443)
    (told,) = findings_at(443, start + timedelta(days=1))
    assert (told.name, told.category, told.severity) == ("TLS Certificate", "TLS Certificate", "INFORMATIONAL")
    assert told.location == "tcp://127.0.0.1:443"
    assert told.attributes["names"] == ["files.example", "*.files.example"]
    assert told.attributes["subject"] == {"commonName": "files.example"}
    assert told.attributes["issuer"] == {"commonName": "Fixture CA"}
    assert (told.attributes["key_type"], told.attributes["key_bits"]) == ("rsa", 2048)
    assert told.attributes["signature_algorithm"] == "sha256WithRSAEncryption"


def test_whether_a_certificate_expired_is_judged_by_the_time_of_the_scan() -> None:
    start, end = valid(443)
    second = timedelta(seconds=1)
    assert flaws(findings_at(443, start - second)) == [("Certificate not yet valid", "MEDIUM")]
    assert flaws(findings_at(443, start)) == []
    assert flaws(findings_at(443, end - timedelta(days=30))) == []
    assert flaws(findings_at(443, end - timedelta(days=30) + second)) == [("Certificate expires soon", "LOW")]
    assert flaws(findings_at(443, end)) == [("Certificate expires soon", "LOW")]
    assert flaws(findings_at(443, end + second)) == [("Expired Certificate", "MEDIUM")]


def test_days_left_are_counted_from_the_scan() -> None:
    _, end = valid(443)
    (soon,) = [f for f in findings_at(443, end - timedelta(days=10)) if f.name == "Certificate expires soon"]
    assert (soon.attributes["days_left"], soon.category) == (10, "TLS Certificate")


def test_an_old_certificate_is_expired_signed_by_itself_and_weak() -> None:
    start, end = valid(8443)
    findings = findings_at(8443, end + timedelta(days=35))
    assert flaws(findings) == [
        ("Expired Certificate", "MEDIUM"),
        ("Self-Signed Certificate", "MEDIUM"),
        ("Weak Certificate Key", "MEDIUM"),
    ]
    assert {f.category for f in findings[1:]} == {"Invalid Certificate"}
    assert flaws(findings_at(9443, start)) == [("Certificate not yet valid", "MEDIUM")]


def test_a_certificate_for_another_name_is_a_flaw_where_the_scan_asked_by_name() -> None:
    start, _ = valid(443)
    now = start + timedelta(days=1)
    assert flaws(findings_at(443, now, "scripts/tls-named")) == [("Invalid Hostname", "MEDIUM")]
    assert flaws(findings_at(443, now, **{"127.0.0.1": "other.example"})) == [("Invalid Hostname", "MEDIUM")]
    assert flaws(findings_at(443, now, **{"127.0.0.1": "Files.Example."})) == []
    assert flaws(findings_at(443, now)) == []


def test_a_name_from_reverse_dns_is_not_compared_with_the_certificate() -> None:
    port = Port(
        protocol="tcp", number=443, state="open", scripts=(Script("ssl-cert", "", {"subject": {"commonName": "a"}}),)
    )
    host = Host(state="up", addresses=(V4,), hostnames=(Hostname("ptr.example", "PTR"),), ports=(port,))
    assert "Invalid Hostname" not in {f.name for f in build_findings(host, SCAN, datetime(2026, 1, 1, tzinfo=UTC))}
    asked = build_findings(host, SCAN, datetime(2026, 1, 1, tzinfo=UTC), {"192.0.2.1": "ptr.example"})
    assert "Invalid Hostname" in {f.name for f in asked}


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("host.example", "HOST.example.", True),
        ("*.example", "host.example", True),
        ("*.example", "a.host.example", False),
        ("*.example", "example", False),
        ("*", "example", False),
        ("host.*", "host.example", False),
        ("h*.example", "host.example", False),
        ("", "host.example", False),
    ],
)
def test_a_star_matches_the_first_label_only(pattern: str, name: str, *, expected: bool) -> None:
    assert matches_hostname(pattern, name) is expected


@pytest.mark.parametrize(
    ("kind", "bits", "expected"),
    [
        ("rsa", "2048", []),
        ("rsa", "2047", ["MEDIUM"]),
        ("rsa", "1023", ["HIGH"]),
        ("ec", "256", []),
        ("ec", "192", ["MEDIUM"]),
        ("dsa", "1024", ["MEDIUM"]),
        ("new", "8", []),
        ("rsa", "many", []),
        ("rsa", "9" * 5_000, []),
        ("rsa", "0", []),
    ],
)
def test_a_key_of_too_few_bits_is_weak(kind: str, bits: str, expected: list[str]) -> None:
    findings = certificate(pubkey={"type": kind, "bits": bits})
    assert [f.severity for f in findings if f.name == "Weak Certificate Key"] == expected


def test_a_broken_digest_is_worse_than_a_weak_one_and_neither_matters_of_what_signs_itself() -> None:
    def severities(signature: str, issuer: str = "CA") -> list[str]:
        names = {"subject": {"commonName": "host.example"}, "issuer": {"commonName": issuer}}
        findings = certificate(sig_algo=signature, **names)
        return [f.severity.value for f in findings if f.name == "Weak Certificate Signature"]

    assert severities("md5WithRSAEncryption") == ["HIGH"]
    assert severities("ecdsa-with-SHA1") == ["MEDIUM"]
    assert severities("sha256WithRSAEncryption") == []
    assert severities("sha1WithRSAEncryption", issuer="host.example") == []


def test_the_text_of_an_old_nmap_tells_the_dates() -> None:
    found = findings_at(443, datetime(2026, 1, 1, tzinfo=UTC), "oddities/old-scripts")
    assert flaws(found) == [("Expired Certificate", "MEDIUM")]
    assert found[0].attributes["not_before"] == "2011-03-23T00:00:00Z"


@pytest.mark.parametrize(
    "data",
    [
        {"subject": [], "validity": "soon", "pubkey": ["rsa"], "extensions": [{}, "x"], "sig_algo": {}},
        {"validity": {"notAfter": "Can't parse; string is 9999"}, "extensions": {"name": "x"}},
        {"validity": {"notAfter": ["2011-01-01"], "notBefore": "0000-00-00T00:00:00"}},
    ],
)
def test_a_certificate_of_another_shape_has_a_finding_without_a_flaw(data: dict[str, Any]) -> None:
    assert flaws(certificate(**data)) == []


def test_a_modern_server_has_the_finding_of_its_service_and_nothing_else() -> None:
    (service,) = findings_at(443, datetime(2026, 1, 1, tzinfo=UTC), script="ssl-enum-ciphers")
    assert (service.name, service.category) == ("TLS Service", "TLS Service Info")
    assert service.attributes["tls_versions"] == ["TLS 1.2", "TLS 1.3"]
    assert service.attributes["grade"] == "A"
    assert "TLS_AKE_WITH_AES_256_GCM_SHA384" in service.attributes["cipher_suites"]


def test_every_outdated_version_is_a_finding_and_the_weak_ciphers_are_one() -> None:
    findings = findings_at(8443, datetime(2026, 1, 1, tzinfo=UTC), script="ssl-enum-ciphers")
    assert [(f.name, f.category, f.severity) for f in findings[1:]] == [
        ("TLS Version TLS 1.0 is considered insecure", "Outdated TLS Version", "MEDIUM"),
        ("TLS Version TLS 1.1 is considered insecure", "Outdated TLS Version", "MEDIUM"),
        ("Weak TLS Ciphers", "Weak TLS Cipher", "HIGH"),
    ]
    weak = {cipher["name"]: cipher for cipher in findings[-1].attributes["weak_ciphers"]}
    assert weak["TLS_RSA_WITH_NULL_MD5"]["grade"] == "F"
    assert weak["TLS_RSA_WITH_NULL_MD5"]["tls_versions"] == ["TLS 1.0", "TLS 1.1", "TLS 1.2"]
    assert "TLS_RSA_WITH_AES_256_CBC_SHA" not in weak
    assert "Anonymous key exchange, score capped at F" in findings[-1].attributes["warnings"]


def test_ssl_3_compression_and_a_cipher_of_grade_c_are_judged_each_by_itself() -> None:
    findings = findings_at(443, datetime(2026, 1, 1, tzinfo=UTC), "oddities/old-scripts", "ssl-enum-ciphers")
    assert [(f.name, f.severity) for f in findings[1:]] == [
        ("TLS Version SSL 3.0 is considered insecure", "HIGH"),
        ("Weak TLS Ciphers", "LOW"),
        ("TLS Compression", "MEDIUM"),
    ]
    assert findings[2].attributes["weak_ciphers"] == [
        {"name": "TLS_RSA_WITH_RC4_128_SHA", "grade": "C", "tls_versions": ["SSL 3.0", "TLS 1.2"]}
    ]


def test_ssl_2_is_a_finding_of_its_own_script() -> None:
    (found,) = findings_at(443, datetime(2026, 1, 1, tzinfo=UTC), "oddities/old-scripts", "sslv2")
    assert (found.name, found.severity) == ("TLS Version SSL 2.0 is considered insecure", "HIGH")
