"""Findings of default accounts, and of shares and disks that need no account."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.findings.script_run import (
    ScriptRun,
    get_table,
    get_text,
    iter_rows,
    iter_tables,
    parse_indented_tables,
)
from cascan.model.finding import Finding, Severity

HIGH, MEDIUM = Severity.HIGH, Severity.MEDIUM
NO_ACCESS = "<none>"  # as smb-enum-shares writes it


def http_default_accounts(run: ScriptRun) -> Iterator[Finding]:
    """One for each product, with the default accounts that work."""
    for product, details in iter_tables(run.script.data):
        accounts = [_account(row) for row in iter_rows(get_table(details).get("credentials"))]
        names = ", ".join(name for name, _ in accounts)
        yield run.finding(
            product,
            name=f"Default Account: {product}",
            description=f"{run.where} accepts the default password of {names} for {product}",
            category="Default Account",
            severity=HIGH,
            product=product,
            path=get_text(details, "path") or None,
            cpe=get_text(details, "cpe") or None,
            accounts=[{"username": name, "password": password} for name, password in accounts],
        )


def iscsi_info(run: ScriptRun) -> Iterator[Finding]:
    """One for each target without authentication. Old versions of nmap write text only."""
    for target, details in iter_tables(run.data or parse_indented_tables(run.output)):
        if get_text(details, "Authentication") == "NOT required":
            yield run.finding(
                target,
                name="iSCSI Target without Authentication",
                description=f"{run.where} exports the disk {target} without authentication",
                category="Unauthenticated Access",
                severity=HIGH,
                target=target,
                address=get_text(details, "Address") or None,
            )


def smb_enum_shares(run: ScriptRun) -> Iterator[Finding]:
    """One for each share that is open without an account; HIGH if it is writable.

    IPC$ is open by design.
    """
    for share, details in iter_tables(run.data or parse_indented_tables(run.output)):
        access = get_text(details, "Anonymous access")
        if access in ("", NO_ACCESS) or get_text(details, "Type").startswith("STYPE_IPC"):
            continue
        yield run.finding(
            share,
            name="SMB Share for anyone",
            description=f"{run.where} allows anonymous access to {share}: {access}",
            category="Unauthenticated Access",
            severity=HIGH if "WRITE" in access else MEDIUM,
            share=share,
            anonymous_access=access,
            comment=get_text(details, "Comment") or None,
            path=get_text(details, "Path") or None,
        )


def _account(row: dict[str, object]) -> tuple[str, str]:
    return get_text(row, "username"), get_text(row, "password")
