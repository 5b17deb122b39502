"""Findings of the scripts on SSH: the algorithms a server offers, and how it lets people in.

Names and category are those of secureCodeBox's SSH scanners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cascan.findings.script_run import ScriptRun, get_text, get_texts, iter_unnamed_rows
from cascan.model.finding import Finding, Severity

OFFERS = "Supported authentication methods"
WEAK_KEY_BITS = {"rsa": 2048, "rsa1": 2048, "dsa": 2048}  # fewer are weak. Source: NIST SP 800-131A
BROKEN_KEY_BITS = 1024
BITS = re.compile(r"\d{1,6}")
HOST_KEY = re.compile(r"^[ \t]*(\d{1,6}) \S{1,100} \((RSA1?|DSA)\)$", re.MULTILINE)


class Kind(NamedTuple):
    """A kind of algorithm: nmap's keys of it, and the patterns of those to give up."""

    name: str
    keys: tuple[str, ...]
    broken: re.Pattern[str]
    outdated: re.Pattern[str]


def _directions(key: str) -> tuple[str, ...]:
    """nmap gives one list where both directions agree, else two."""
    return key, f"{key}_client_to_server", f"{key}_server_to_client"


# Sources: RFC 9142 (key exchange), RFC 8758 (RC4), RFC 8332 (SHA-1 signatures), OpenSSH's defaults since 7.2.
KINDS = (
    Kind(
        "KEX",
        ("kex_algorithms",),
        re.compile(r"diffie-hellman-group1-.*|rsa1024-.*|gss-group1-sha1-.*"),
        re.compile(r"diffie-hellman-group(14|-exchange)-sha1|gss-g(roup14|ex)-sha1-.*"),
    ),
    Kind(
        "Key", ("server_host_key_algorithms",), re.compile(r"ssh-dss.*|x509v3-.*-dss"), re.compile(r"ssh-rsa(-cert.*)?")
    ),
    Kind(
        "Encryption",
        _directions("encryption_algorithms"),
        re.compile(r"none|arcfour.*|rc4.*|des.*|3des.*|blowfish.*|cast128.*|idea.*|twofish.*|serpent.*"),
        re.compile(r".*-cbc(@.*)?"),
    ),
    Kind(
        "MAC",
        _directions("mac_algorithms"),
        re.compile(r"none|hmac-md5.*|.*-96(-etm)?(@.*)?"),
        re.compile(r"hmac-sha1(-etm)?(@.*)?|hmac-ripemd.*|umac-64.*"),
    ),
)


def ssh2_enum_algos(run: ScriptRun) -> Iterator[Finding]:
    """The service with all that it offers, and a finding for each kind that holds something to give up."""
    offered = {kind.name: _offered(run, kind) for kind in KINDS}
    if any(offered.values()):
        yield run.finding(
            "service",
            name="SSH Service",
            description=f"{run.where} offers these algorithms of SSH",
            category="SSH Service",
            key_exchange_algorithms=offered["KEX"],
            key_algorithms=offered["Key"],
            encryption_algorithms=offered["Encryption"],
            mac_algorithms=offered["MAC"],
            compression_algorithms=get_texts(run.data, "compression_algorithms") or None,
        )
    for kind in KINDS:
        yield from _to_give_up(run, kind, offered[kind.name])


def ssh_auth_methods(run: ScriptRun) -> Iterator[Finding]:
    """A password can be guessed; nothing at all need not be."""
    methods = get_texts(run.data, OFFERS)
    if "none_auth" in methods:
        yield run.finding(
            "none",
            name="SSH Login without Authentication",
            description=f"{run.where} lets people in who prove nothing",
            category="SSH Policy Violation",
            severity=Severity.HIGH,
            auth_methods=methods,
        )
    discouraged = [method for method in methods if method in ("password", "keyboard-interactive", "hostbased")]
    if discouraged:
        yield run.finding(
            "discouraged",
            name="Discouraged SSH authentication methods",
            description=f"{run.where} lets people in by {' or '.join(discouraged)}",
            category="SSH Policy Violation",
            severity=Severity.LOW,
            auth_methods=methods,
        )


def sshv1(run: ScriptRun) -> Iterator[Finding]:
    if "supports SSHv1" in run.output:
        yield run.finding(
            name="SSH Version 1 is considered insecure",
            description=f"{run.where} agrees to SSH 1, which is broken",
            category="SSH Policy Violation",
            severity=Severity.HIGH,
        )


def ssh_hostkey(run: ScriptRun) -> Iterator[Finding]:
    """One for each key that is too short: DSA always (it has 1024 bits), RSA below 2048 bits."""
    for kind, bits in dict.fromkeys(_host_keys(run)):
        if 0 < bits < WEAK_KEY_BITS.get(kind, 0):
            yield run.finding(
                kind,
                name=f"Weak SSH Host Key ({kind.upper()})",
                description=f"{run.where} proves itself by a {kind.upper()} key of {bits} bits",
                category="SSH Policy Violation",
                severity=Severity.HIGH if bits < BROKEN_KEY_BITS else Severity.MEDIUM,
                key_type=kind,
                key_bits=bits,
            )


def _host_keys(run: ScriptRun) -> Iterator[tuple[str, int]]:
    """Kind and bits of each key: `rsa`, 2048. Old versions of nmap say it in text alone."""
    keys = [row for row in iter_unnamed_rows(run.script.data) if get_text(row, "bits")]
    for row in keys:
        kind = get_text(row, "type").removeprefix("ssh-").replace("dss", "dsa")
        yield kind, int(get_text(row, "bits")) if BITS.fullmatch(get_text(row, "bits")) else 0
    for bits, kind in () if keys else HOST_KEY.findall(run.output):
        yield kind.lower(), int(bits)


def _offered(run: ScriptRun, kind: Kind) -> list[str]:
    return list(dict.fromkeys(name for key in kind.keys for name in get_texts(run.data, key)))


def _to_give_up(run: ScriptRun, kind: Kind, offered: list[str]) -> Iterator[Finding]:
    broken = [name for name in offered if kind.broken.fullmatch(name)]
    algorithms = broken + [name for name in offered if name not in broken and kind.outdated.fullmatch(name)]
    if algorithms:
        yield run.finding(
            kind.name,
            name=f"Insecure SSH {kind.name} Algorithms",
            description=f"{run.where} offers {', '.join(algorithms)}",
            category="SSH Policy Violation",
            severity=Severity.MEDIUM if broken else Severity.LOW,
            algorithms=algorithms,
        )
