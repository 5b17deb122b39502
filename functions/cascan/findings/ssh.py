"""Findings of the scripts on SSH: the algorithms a server offers, and how it lets people in.

Names and category are those of secureCodeBox's SSH scanners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cascan.findings.script_run import ScriptRun, texts
from cascan.model.finding import Finding, Severity

OFFERS = "Supported authentication methods"


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
            compression_algorithms=texts(run.data, "compression_algorithms") or None,
        )
    for kind in KINDS:
        yield from _to_give_up(run, kind, offered[kind.name])


def ssh_auth_methods(run: ScriptRun) -> Iterator[Finding]:
    """A password can be guessed; nothing at all need not be."""
    methods = texts(run.data, OFFERS)
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


def _offered(run: ScriptRun, kind: Kind) -> list[str]:
    return list(dict.fromkeys(name for key in kind.keys for name in texts(run.data, key)))


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
