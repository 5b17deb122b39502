"""Saved filters of the lists: the names above a list, and the buttons that save and remove one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from cascan.limits import MAX_SAVED_FILTER_CHARS, MAX_SAVED_FILTERS
from cascan.model.saved_filter import SavedFilter
from cascan_cli.errors import BadInput
from cascan_cli.ui.audit import act
from cascan_cli.ui.console import NAVIGATION, get_console, get_form, go_to
from cascan_cli.ui.listing import UNKEPT

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

NAME = re.compile(r"[\w .,:+()-]{1,60}")
PAGES = frozenset(place.strip("/") for place, _ in NAVIGATION if place != "/")


def change_saved_filters(request: Request) -> Response:
    """Save the filters of a list, or remove saved ones. Raises: BadInput: a field is invalid."""
    console, form = get_console(request), get_form(request)
    page, name, action = form.get("page", ""), form.get("name", "").strip(), form.get("action", "")
    query = _clean(form.get("query", ""))
    if page not in PAGES:
        raise BadInput(f"page {page!r:.40}: has no saved filters")
    if not NAME.fullmatch(name):
        raise BadInput(f"name {name!r:.70}: must be 1 to 60 letters, digits, spaces or one of .,:+()-_")
    table = console.stack.table

    def save() -> str:
        if len(table.list_saved_filters(page)) >= MAX_SAVED_FILTERS:
            raise BadInput(f"the page has {MAX_SAVED_FILTERS} saved filters; remove one first")
        saved = SavedFilter(
            page=page, name=name, query=query, saved_by=console.stack.submitter, saved_at=console.clock()
        )
        if not table.save_filter(saved):
            raise BadInput(f"there is a saved filter {name}; remove it first, or choose another name")
        return f"The filter {name} is saved, for everybody who uses this stack."

    def remove() -> str:
        table.remove_saved_filter(page, name)
        return f"The saved filter {name} is removed."

    actions = {"save": save, "remove": remove}
    if action not in actions:
        raise BadInput(f"action {action!r:.40}: must be one of {', '.join(actions)}")
    if action == "save" and not query:
        raise BadInput("nothing is filtered or sorted, so there is nothing to save")
    sentence = act(console, f"{action} filter", f"{page} {name} {query}".strip(), actions[action])
    return go_to(request, f"/{page}?{query}" if query else f"/{page}", sentence)


def _clean(query: str) -> str:
    """Without empty fields, and without those that say which part of the list is shown. Raises: BadInput: too long."""
    if len(query) > MAX_SAVED_FILTER_CHARS:
        raise BadInput(f"the filters have more than {MAX_SAVED_FILTER_CHARS} characters")
    return urlencode([(key, value) for key, value in parse_qsl(query) if key not in UNKEPT])
