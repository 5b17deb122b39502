"""Findings of ssl-enum-ciphers and sslv2: the versions and ciphers that a server agrees to.

Names and categories are those of secureCodeBox's TLS scanner. nmap grades each cipher from A to F, as SSL Labs does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cascan.findings.script_run import ScriptRun, get_text, get_texts, iter_rows, iter_tables
from cascan.model.finding import Finding, Severity

OUTDATED = {  # nmap's word → everyone's, and how bad it is
    "SSLv2": ("SSL 2.0", Severity.HIGH),
    "SSLv3": ("SSL 3.0", Severity.HIGH),
    "TLSv1.0": ("TLS 1.0", Severity.MEDIUM),
    "TLSv1.1": ("TLS 1.1", Severity.MEDIUM),
}
NAMES = {nmaps: ours for nmaps, (ours, _) in OUTDATED.items()} | {"TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
GRADES = {"C": Severity.LOW, "D": Severity.MEDIUM, "E": Severity.HIGH, "F": Severity.HIGH}  # A and B are good enough


def ssl_enum_ciphers(run: ScriptRun) -> Iterator[Finding]:
    """The service, each version that is outdated, the weak ciphers together, compression."""
    versions = {version: said for version, said in iter_tables(run.script.data) if "ciphers" in said}
    if not versions:
        return
    ciphers = {version: list(iter_rows(said["ciphers"])) for version, said in versions.items()}
    yield run.finding(
        "service",
        name="TLS Service",
        description=f"{run.where} speaks {', '.join(map(_spoken, versions))}",
        category="TLS Service Info",
        tls_versions=[_spoken(version) for version in versions],
        cipher_suites=list(dict.fromkeys(get_text(row, "name") for found in ciphers.values() for row in found)),
        grade=get_text(run.data, "least strength") or None,
    )
    for version in versions:
        if version in OUTDATED:
            yield _outdated(run, version)
    yield from _weak(run, ciphers, sorted({line for said in versions.values() for line in get_texts(said, "warnings")}))
    compressing = [version for version, said in versions.items() if set(get_texts(said, "compressors")) - {"NULL"}]
    if compressing:
        yield run.finding(
            "compression",
            name="TLS Compression",
            description=f"{run.where} compresses before it encrypts, which gives secrets away (CRIME)",
            category="Weak TLS Cipher",
            severity=Severity.MEDIUM,
            tls_versions=list(map(_spoken, compressing)),
        )


def sslv2(run: ScriptRun) -> Iterator[Finding]:
    """The script speaks only of servers that speak SSL 2."""
    if "SSLv2 supported" in run.output:
        yield _outdated(run, "SSLv2")


def _outdated(run: ScriptRun, version: str) -> Finding:
    spoken, severity = OUTDATED[version]
    return run.finding(
        version,
        name=f"TLS Version {spoken} is considered insecure",
        description=f"{run.where} agrees to {spoken}, which is outdated",
        category="Outdated TLS Version",
        severity=severity,
        outdated_version=spoken,
    )


def _weak(run: ScriptRun, ciphers: dict[str, list[dict[str, Any]]], warnings: list[str]) -> Iterator[Finding]:
    weak: dict[str, dict[str, Any]] = {}
    for version, found in ciphers.items():
        for row in found:
            name, grade = get_text(row, "name"), get_text(row, "strength")
            if grade in GRADES:
                entry = weak.setdefault(name, {"name": name, "grade": grade, "tls_versions": []})
                entry["tls_versions"].append(_spoken(version))
    if weak:
        worst = max(entry["grade"] for entry in weak.values())
        yield run.finding(
            "weak",
            name="Weak TLS Ciphers",
            description=f"{run.where} agrees to ciphers of grade {worst}",
            category="Weak TLS Cipher",
            severity=GRADES[worst],
            weak_ciphers=list(weak.values()),
            grade=worst,
            warnings=warnings,
        )


def _spoken(version: str) -> str:
    return NAMES.get(version, version)
