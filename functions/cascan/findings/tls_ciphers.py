"""Findings of ssl-enum-ciphers and sslv2: the TLS versions and ciphers that a server supports.

Names and categories are those of secureCodeBox's TLS scanner. nmap grades each cipher from A to F,
as SSL Labs does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cascan.findings.script_run import ScriptRun, get_text, get_texts, iter_rows, iter_tables
from cascan.model.finding import Finding, Severity

OUTDATED = {  # nmap's name → the usual name, and the severity
    "SSLv2": ("SSL 2.0", Severity.HIGH),
    "SSLv3": ("SSL 3.0", Severity.HIGH),
    "TLSv1.0": ("TLS 1.0", Severity.MEDIUM),
    "TLSv1.1": ("TLS 1.1", Severity.MEDIUM),
}
NAMES = {version: name for version, (name, _) in OUTDATED.items()} | {
    "TLSv1.2": "TLS 1.2",
    "TLSv1.3": "TLS 1.3",
}
GRADES = {
    "C": Severity.LOW,
    "D": Severity.MEDIUM,
    "E": Severity.HIGH,
    "F": Severity.HIGH,
}  # A and B are good enough


def ssl_enum_ciphers(run: ScriptRun) -> Iterator[Finding]:
    """The service, each outdated version, all weak ciphers together, and compression."""
    tables = iter_tables(run.script.data)
    versions = {version: details for version, details in tables if "ciphers" in details}
    if not versions:
        return
    yield _service(run, versions)
    for version in versions:
        if version in OUTDATED:
            yield _outdated_version(run, version)
    yield from _weak_ciphers(run, versions)
    yield from _compression(run, versions)


def sslv2(run: ScriptRun) -> Iterator[Finding]:
    """The script has output only for servers that support SSL 2."""
    if "SSLv2 supported" in run.output:
        yield _outdated_version(run, "SSLv2")


Versions = dict[str, dict[str, Any]]  # what ssl-enum-ciphers writes, by nmap's name of the version


def _service(run: ScriptRun, versions: Versions) -> Finding:
    names = [_usual_name(version) for version in versions]
    rows = [row for details in versions.values() for row in iter_rows(details["ciphers"])]
    ciphers = [get_text(row, "name") for row in rows]
    return run.finding(
        "service",
        name="TLS Service",
        description=f"{run.where} supports {', '.join(names)}",
        category="TLS Service Info",
        tls_versions=names,
        cipher_suites=list(dict.fromkeys(ciphers)),
        grade=get_text(run.data, "least strength") or None,
    )


def _outdated_version(run: ScriptRun, version: str) -> Finding:
    name, severity = OUTDATED[version]
    return run.finding(
        version,
        name=f"TLS Version {name} is considered insecure",
        description=f"{run.where} supports {name}, which is outdated",
        category="Outdated TLS Version",
        severity=severity,
        outdated_version=name,
    )


def _weak_ciphers(run: ScriptRun, versions: Versions) -> Iterator[Finding]:
    weak: dict[str, dict[str, Any]] = {}
    for version, details in versions.items():
        for row in iter_rows(details["ciphers"]):
            name, grade = get_text(row, "name"), get_text(row, "strength")
            if grade in GRADES:
                entry = weak.setdefault(name, {"name": name, "grade": grade, "tls_versions": []})
                entry["tls_versions"].append(_usual_name(version))
    if weak:
        worst = max(entry["grade"] for entry in weak.values())
        warnings: set[str] = set()
        for details in versions.values():
            warnings.update(get_texts(details, "warnings"))
        yield run.finding(
            "weak",
            name="Weak TLS Ciphers",
            description=f"{run.where} supports ciphers of grade {worst}",
            category="Weak TLS Cipher",
            severity=GRADES[worst],
            weak_ciphers=list(weak.values()),
            grade=worst,
            warnings=sorted(warnings),
        )


def _compression(run: ScriptRun, versions: Versions) -> Iterator[Finding]:
    with_compression = [
        _usual_name(version)
        for version, details in versions.items()
        if set(get_texts(details, "compressors")) - {"NULL"}
    ]
    if with_compression:
        yield run.finding(
            "compression",
            name="TLS Compression",
            description=f"{run.where} compresses before encryption, which can reveal secrets (CRIME)",
            category="Weak TLS Cipher",
            severity=Severity.MEDIUM,
            tls_versions=with_compression,
        )


def _usual_name(version: str) -> str:
    return NAMES.get(version, version)
