"""Every action of the console is an entry in the audit list: before it begins, and with its outcome."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_AUDIT_TEXT_CHARS
from cascan.model.audit import AuditEntry
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.principals import find_user
from cascan_cli.ui.console import Console

ID_BYTES = 6


def act(console: Console, action: str, subject: str, do: Callable[[], str]) -> str:
    """Do it, and return the sentence that `do` returns.

    Raises: what `do` raises. GatewayUnavailable: the entry cannot be stored, and nothing was done.
    """
    table = console.stack.table
    entry = AuditEntry(
        entry_id=secrets.token_hex(ID_BYTES),
        at=console.clock(),
        by=console.stack.submitter,
        user=find_user(),
        action=action,
        subject=subject[:MAX_AUDIT_TEXT_CHARS],
    )
    table.put_audit_entry(entry)
    try:
        sentence = do()
    except (CliError, GatewayUnavailable) as exc:
        outcome = "refused" if isinstance(exc, BadInput) else "failed"
        table.put_audit_entry(replace(entry, outcome=f"{outcome}: {exc}"[:MAX_AUDIT_TEXT_CHARS]))
        raise
    table.put_audit_entry(replace(entry, outcome="done"))
    return sentence
