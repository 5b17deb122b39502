"""Actions on the rows that a person has picked in a list: one after the other, each with an entry of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cascan.limits import CONSOLE_PAGE_ROWS
from cascan_cli.errors import BadInput
from cascan_cli.output.text import pluralize
from cascan_cli.ui.audit import act
from cascan_cli.ui.console import go_to

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan_cli.ui.console import Console

PICK = "pick:"
PROBLEMS_SHOWN = 3


def read_picks(form: Mapping[str, str]) -> list[str]:
    """What was picked. Raises: BadInput: nothing, or more than a page has."""
    picks = [name.removeprefix(PICK) for name in form if name.startswith(PICK)]
    if not picks:
        raise BadInput("pick at least one row of the list")
    if len(picks) > CONSOLE_PAGE_ROWS:
        raise BadInput(f"{len(picks)} rows are picked: at most {CONSOLE_PAGE_ROWS} are possible")
    return picks


def act_on_each(console: Console, action: str, picks: Sequence[str], do: Callable[[str], str], remark: str = "") -> str:
    """Do it for each of them, also after one that was refused. Returns the result in one sentence.

    `remark`: what each entry of the audit list has after the pick.

    Raises: GatewayUnavailable, CliError: the stack failed; others may be done.
    """
    problems = []
    for pick in picks:
        try:
            act(console, action, f"{pick} {remark}".strip(), partial(do, pick))
        except BadInput as exc:
            problems.append(f"{pick}: {exc}")
    done = f"{len(picks) - len(problems)} of {pluralize(len(picks), 'row')}: {action}, done."
    if not problems:
        return done
    more = " …" if len(problems) > PROBLEMS_SHOWN else ""
    return f"{done} Refused: {'; '.join(problems[:PROBLEMS_SHOWN])}{more}"


def go_back(request: Request, message: str) -> Response:
    """Show the list again, as it was filtered, with the message on it."""
    query = f"?{request.url.query}" if request.url.query else ""
    return go_to(request, f"{request.url.path}{query}", message)
