"""/audit: who did what in consoles of this stack, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.limits import AUDIT_DAYS
from cascan_cli.ui.console import format_time, get_console
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Filter, Listing, read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.audit import AuditEntry


def show_audit(request: Request) -> Response:
    console, query = get_console(request), read_query(request, "who", "action")
    entries = console.stack.table.audit_entries(console.clock())
    listing = Listing(
        title="Audit list",
        columns=("When", "Who", "User", "Action", "Subject", "Outcome"),
        rows=(
            (format_time(entry.at), entry.by, entry.user, entry.action, entry.subject, entry.outcome)
            for entry in entries
            if _fits(entry, query)
        ),
        filters=(
            Filter("who", "Who", query["who"], hint="a part of the name"),
            Filter("action", "Action", query["action"], hint="accept"),
        ),
        empty="No action of a console is listed.",
        notes=[f"Entries are kept for {AUDIT_DAYS} days. Commands are not listed here."],
    )
    return show_listing(request, listing)


def _fits(entry: AuditEntry, query: dict[str, str]) -> bool:
    who, action = query["who"].casefold(), query["action"].casefold()
    return (who in entry.by.casefold() or who in entry.user.casefold()) and action in entry.action.casefold()
