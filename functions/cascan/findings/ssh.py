"""Findings of the scripts on SSH: the algorithms, authentication methods and host keys of a server.

Names and category are those of secureCodeBox's SSH scanners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cascan.findings.script_run import ScriptRun, get_text, get_texts, iter_unnamed_rows
from cascan.model.finding import Finding, Severity

AUTHENTICATION_METHODS = "Supported authentication methods"  # the key of ssh-auth-methods
WEAK_KEY_BITS = {"rsa": 2048, "rsa1": 2048, "dsa": 2048}  # fewer are weak. Source: NIST SP 800-131A
BROKEN_KEY_BITS = 1024
DISCOURAGED_METHODS = ("password", "keyboard-interactive", "hostbased")
BITS = re.compile(r"\d{1,6}")
HOST_KEY = re.compile(r"^[ \t]*(\d{1,6}) \S{1,100} \((RSA1?|DSA)\)$", re.MULTILINE)


class AlgorithmKind(NamedTuple):
    """A kind of algorithm: the keys that nmap lists it under, and patterns of the insecure ones."""

    name: str
    keys: tuple[str, ...]
    broken: re.Pattern[str]
    outdated: re.Pattern[str]


def _directions(key: str) -> tuple[str, ...]:
    """nmap writes one list if both directions have the same algorithms, else two."""
    return key, f"{key}_client_to_server", f"{key}_server_to_client"


# Sources: RFC 9142 (key exchange), RFC 8758 (RC4), RFC 8332 (SHA-1 signatures),
# and the defaults of OpenSSH since 7.2.
ALGORITHM_KINDS = (
    AlgorithmKind(
        "KEX",
        ("kex_algorithms",),
        re.compile(r"diffie-hellman-group1-.*|rsa1024-.*|gss-group1-sha1-.*"),
        re.compile(r"diffie-hellman-group(14|-exchange)-sha1|gss-g(roup14|ex)-sha1-.*"),
    ),
    AlgorithmKind(
        "Key",
        ("server_host_key_algorithms",),
        re.compile(r"ssh-dss.*|x509v3-.*-dss"),
        re.compile(r"ssh-rsa(-cert.*)?"),
    ),
    AlgorithmKind(
        "Encryption",
        _directions("encryption_algorithms"),
        re.compile(r"none|arcfour.*|rc4.*|des.*|3des.*|blowfish.*|cast128.*|idea.*|twofish.*|serpent.*"),
        re.compile(r".*-cbc(@.*)?"),
    ),
    AlgorithmKind(
        "MAC",
        _directions("mac_algorithms"),
        re.compile(r"none|hmac-md5.*|.*-96(-etm)?(@.*)?"),
        re.compile(r"hmac-sha1(-etm)?(@.*)?|hmac-ripemd.*|umac-64.*"),
    ),
)


def ssh2_enum_algos(run: ScriptRun) -> Iterator[Finding]:
    """The service with all its algorithms, and a finding for each kind with insecure ones."""
    offered = {kind.name: _read_algorithms(run, kind) for kind in ALGORITHM_KINDS}
    if any(offered.values()):
        yield run.finding(
            "service",
            name="SSH Service",
            description=f"{run.where} offers these SSH algorithms",
            category="SSH Service",
            key_exchange_algorithms=offered["KEX"],
            key_algorithms=offered["Key"],
            encryption_algorithms=offered["Encryption"],
            mac_algorithms=offered["MAC"],
            compression_algorithms=get_texts(run.data, "compression_algorithms") or None,
        )
    for kind in ALGORITHM_KINDS:
        yield from _insecure_algorithms(run, kind, offered[kind.name])


def ssh_auth_methods(run: ScriptRun) -> Iterator[Finding]:
    """Login without authentication, and methods that guessing or a stolen host key breaks."""
    methods = get_texts(run.data, AUTHENTICATION_METHODS)
    if "none_auth" in methods:
        yield run.finding(
            "none",
            name="SSH Login without Authentication",
            description=f"{run.where} allows login without authentication",
            category="SSH Policy Violation",
            severity=Severity.HIGH,
            auth_methods=methods,
        )
    discouraged = [method for method in methods if method in DISCOURAGED_METHODS]
    if discouraged:
        yield run.finding(
            "discouraged",
            name="Discouraged SSH authentication methods",
            description=f"{run.where} allows login by {' or '.join(discouraged)}",
            category="SSH Policy Violation",
            severity=Severity.LOW,
            auth_methods=methods,
        )


def sshv1(run: ScriptRun) -> Iterator[Finding]:
    if "supports SSHv1" in run.output:
        yield run.finding(
            name="SSH Version 1 is considered insecure",
            description=f"{run.where} supports SSH 1, which is broken",
            category="SSH Policy Violation",
            severity=Severity.HIGH,
        )


def ssh_hostkey(run: ScriptRun) -> Iterator[Finding]:
    """One for each key that is too short: every DSA key (1024 bits), RSA keys below 2048 bits."""
    for kind, bits in dict.fromkeys(_read_host_keys(run)):
        if 0 < bits < WEAK_KEY_BITS.get(kind, 0):
            yield run.finding(
                kind,
                name=f"Weak SSH Host Key ({kind.upper()})",
                description=f"{run.where} has a {kind.upper()} host key of {bits} bits",
                category="SSH Policy Violation",
                severity=Severity.HIGH if bits < BROKEN_KEY_BITS else Severity.MEDIUM,
                key_type=kind,
                key_bits=bits,
            )


def _read_host_keys(run: ScriptRun) -> Iterator[tuple[str, int]]:
    """Kind and bits of each key: `rsa`, 2048. Old versions of nmap write text only."""
    keys = [row for row in iter_unnamed_rows(run.script.data) if get_text(row, "bits")]
    if not keys:
        for bits, kind in HOST_KEY.findall(run.output):
            yield kind.lower(), int(bits)
    for row in keys:
        kind, bits = get_text(row, "type"), get_text(row, "bits")
        yield (
            kind.removeprefix("ssh-").replace("dss", "dsa"),
            int(bits) if BITS.fullmatch(bits) else 0,
        )


def _read_algorithms(run: ScriptRun, kind: AlgorithmKind) -> list[str]:
    """The algorithms of this kind that the server offers, each once."""
    return list(dict.fromkeys(name for key in kind.keys for name in get_texts(run.data, key)))


def _insecure_algorithms(
    run: ScriptRun,
    kind: AlgorithmKind,
    offered: list[str],
) -> Iterator[Finding]:
    broken = [name for name in offered if kind.broken.fullmatch(name)]
    outdated = [name for name in offered if name not in broken and kind.outdated.fullmatch(name)]
    algorithms = broken + outdated
    if algorithms:
        yield run.finding(
            kind.name,
            name=f"Insecure SSH {kind.name} Algorithms",
            description=f"{run.where} offers {', '.join(algorithms)}",
            category="SSH Policy Violation",
            severity=Severity.MEDIUM if broken else Severity.LOW,
            algorithms=algorithms,
        )
