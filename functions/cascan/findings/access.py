"""Findings of services that let anyone in, and of accounts with the password that they came with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cascan.findings.script_run import ScriptRun, rows, table, tables, text
from cascan.model.finding import Finding, Severity

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


class Open(NamedTuple):
    """What a script proves when its output shows the sign."""

    name: str
    severity: Severity
    sign: str  # a regular expression
    category: str = "Unauthenticated Access"


OPEN = {
    "cassandra-info": Open("Cassandra without Authentication", HIGH, r"Cluster name"),
    "couchdb-databases": Open("CouchDB without Authentication", HIGH, r"^\s*\d+ = "),
    "docker-version": Open("Docker without Authentication", HIGH, r"Version: "),
    "memcached-info": Open("Memcached without Authentication", HIGH, r"Authentication: no"),
    "mongodb-databases": Open("MongoDB without Authentication", HIGH, r"^\s+name = "),
    "redis-info": Open("Redis without Authentication", HIGH, r"Version"),
    "vnc-info": Open("VNC without Authentication", HIGH, r"does not require authentication"),
    "x11-access": Open("X11 without Authentication", HIGH, r"access is granted"),
    "rsync-list-modules": Open("Rsync Modules listed", MEDIUM, r"\S"),
    "nfs-showmount": Open("NFS Exports listed", LOW, r"^\s*/"),
    "mysql-empty-password": Open("MySQL Account without Password", HIGH, r"has empty password", "Default Account"),
    "ms-sql-empty-password": Open("MS SQL Account without Password", HIGH, r"Login Success", "Default Account"),
    "dns-recursion": Open("DNS Recursion for anyone", LOW, r"appears to be enabled", "Open Relay"),
    "ftp-bounce": Open("FTP Bounce possible", MEDIUM, r"bounce working", "Open Relay"),
    "http-open-proxy": Open("Open HTTP Proxy", MEDIUM, r"OPEN proxy", "Open Relay"),
    "smtp-open-relay": Open("Open Mail Relay", MEDIUM, r"is an open relay", "Open Relay"),
    "socks-open-proxy": Open("Open SOCKS Proxy", MEDIUM, r"status: open", "Open Relay"),
}


def lets_anyone_in(found: Open) -> Callable[[ScriptRun], Iterator[Finding]]:
    """The reader of a script whose output is proof of it."""

    def read(run: ScriptRun) -> Iterator[Finding]:
        if re.search(found.sign, run.output, re.MULTILINE):  # compiled when first asked, not when imported
            yield run.finding(
                name=found.name,
                description=f"{run.where}: {found.name}, as {run.script.id} shows",
                category=found.category,
                severity=found.severity,
                output=run.output.strip(),
            )

    return read


def http_default_accounts(run: ScriptRun) -> Iterator[Finding]:
    """One for each product, with the accounts that it came with."""
    for product, said in tables(run.script.data):
        accounts = [_account(row) for row in rows(table(said).get("credentials"))]
        names = ", ".join(name for name, _ in accounts)
        yield run.finding(
            product,
            name=f"Default Account: {product}",
            description=f"{run.where} lets {names} into {product} with a known password",
            category="Default Account",
            severity=HIGH,
            product=product,
            path=text(said, "path") or None,
            cpe=text(said, "cpe") or None,
            accounts=[{"username": name, "password": password} for name, password in accounts],
        )


def _account(row: dict[str, object]) -> tuple[str, str]:
    return text(row, "username"), text(row, "password")
