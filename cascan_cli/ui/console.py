"""What the pages of one console share: the stack, the role, the templates, the live streams."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cascan.clock import Clock, utc_now
from cascan.limits import MAX_CONSOLE_REQUESTED, MAX_CONSOLE_STREAMS
from cascan_cli.output.principals import describe_principal
from cascan_cli.output.text import pluralize, printable
from cascan_cli.ui.guard import Role
from cascan_cli.ui.kept_changes import KeptChanges
from cascan_cli.ui.readers import Readers
from cascan_cli.ui.recent import Recent
from cascan_cli.ui.sessions import Session, Sessions

if TYPE_CHECKING:
    from starlette.requests import Request

    from cascan.model.inventory import Change
    from cascan.model.scan import Scan
    from cascan_cli.stack.open import StackGateways

NAVIGATION = (
    ("/", "Overview"),
    ("/scans", "Scans"),
    ("/submit", "New scan"),
    ("/findings", "Findings"),
    ("/inventory", "Inventory"),
    ("/changes", "Changes"),
    ("/exposures", "Exposures"),
    ("/messages", "Messages"),
    ("/schedules", "Schedules"),
    ("/rules", "Rules"),
    ("/reach", "Reachability"),
    ("/coverage", "Coverage"),
    ("/audit", "Audit"),
)


def format_time(moment: datetime | None) -> str:
    """`2026-03-01 12:00:00Z`; empty without one."""
    return moment.strftime("%Y-%m-%d %H:%M:%SZ") if moment else ""


def _make_printable(value: object) -> object:
    """Text on one line without control characters, before it is escaped; markup of our templates as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def build_templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("cascan_cli.ui"),
        autoescape=True,
        finalize=_make_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"time": format_time, "pluralize": pluralize, "principal": describe_principal}
    return templates


class Streams:
    """Counts live streams, so that a browser keeps connections for its other requests."""

    def __init__(self, limit: int = MAX_CONSOLE_STREAMS) -> None:
        self._free, self._lock = limit, Lock()

    def take(self) -> bool:
        """False: there are as many as may be."""
        with self._lock:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def give_back(self) -> None:
        with self._lock:
            self._free += 1


@dataclass
class Console:
    """`args`: the options that choose a stack, as its commands take them."""

    stack: StackGateways
    args: Namespace
    role: Role = Role.OPERATOR
    clock: Clock = utc_now
    sessions: Sessions = field(default_factory=Sessions)
    streams: Streams = field(default_factory=Streams)
    recent: Recent = field(default_factory=Recent)
    readers: Readers = field(default_factory=Readers)
    kept_changes: KeptChanges = field(default_factory=KeptChanges)
    templates: Environment = field(default_factory=build_templates)
    requested: dict[str, datetime] = field(default_factory=dict)  # scans that this console asked for, by id
    is_ending: bool = False  # live streams end then

    @property
    def is_operator(self) -> bool:
        return self.role is Role.OPERATOR

    @property
    def stack_name(self) -> str:
        return str(self.args.stack or "this machine")

    def list_changes(self, scans: Iterable[Scan], most_shards: int) -> Iterator[tuple[Scan, Change]]:
        """The changes that the scans recorded, of at most so many of their shards."""
        return self.kept_changes.list_changes(scans, self.stack.table, self.readers, most_shards)

    def note_requested(self, scan_id: str) -> None:
        """Remember the scan: until it is planned, no table has it."""
        self.requested[scan_id] = self.clock()
        while len(self.requested) > MAX_CONSOLE_REQUESTED:
            self.requested.pop(next(iter(self.requested)))

    def render_text(self, template: str, **values: Any) -> str:
        return self.templates.get_template(template).render(values)

    def render(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        session = get_session(request)
        shared = {
            "console": self,
            "csrf": session.csrf,
            "message": session.take_message(),
            "path": request.url.path,
            "navigation": NAVIGATION,
        }
        return HTMLResponse(self.render_text(template, **(shared | values)), status)


def get_console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def get_session(request: Request) -> Session:
    session: Session = request.state.session
    return session


def get_form(request: Request) -> Mapping[str, str]:
    """The fields of a form, which the guard has read."""
    form: Mapping[str, str] = request.state.form
    return form


def go_to(request: Request, place: str, message: str) -> Response:
    """Show another page next, with the message on it."""
    get_session(request).message = message
    return RedirectResponse(place, status_code=303)
