"""/exposures and /exposures/ID: what should not be reachable, and the decisions of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from cascan.exposure_updates.apply_severity_rules import is_suppressed
from cascan.model.exposure import ACTIVE_STATES, Exposure, ExposureState
from cascan.model.finding import Severity
from cascan_cli.errors import BadInput
from cascan_cli.output.exposures import format_age, list_reasons
from cascan_cli.output.history import format_port
from cascan_cli.stack.decide_exposure import ACTIONS, Decision, decide_exposure
from cascan_cli.ui.audit import act
from cascan_cli.ui.bulk import act_on_each, go_back, read_picks
from cascan_cli.ui.console import Console, format_time, get_console, get_form, go_to
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Action, ActionField, Filter, Listing, Row, link, read_query
from cascan_cli.ui.pages.cells import exposure_link, host_link, scan_link, severity_cell, state_cell

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

COLUMNS = ("Exposure", "Severity", "State", "Age", "Vantage", "Host", "Name", "Port", "Kind", "Owner", "Why")
FIELDS = ("state", "severity", "vantage", "host", "owner")
BULK_ACTIONS = (
    Action("ack", "Acknowledge the picked ones", (ActionField("why", "Reason (optional)"),)),
    Action(
        "accept",
        "Accept the picked ones",
        (ActionField("until", "Up to and including", "date"), ActionField("why", "Reason")),
    ),
)
VERBS = {"ack": "acknowledge exposure", "accept": "accept exposure", "reopen": "reopen exposure"}


def show_exposures(request: Request) -> Response:
    console, query = get_console(request), read_query(request, *FIELDS)
    listing = Listing(
        title="Exposures",
        columns=COLUMNS,
        rows=(Row(_row(console, each), pick=_name_pick(each)) for each in _find(console, query)),
        filters=(
            Filter("state", "State", query["state"], tuple(state.value for state in ExposureState), unset="all active"),
            Filter("severity", "Severity", query["severity"], tuple(severity.value for severity in Severity)),
            Filter("vantage", "Vantage", query["vantage"]),
            Filter("host", "Host", query["host"], hint="address or name"),
            Filter("owner", "Owner", query["owner"], hint="a part of it"),
        ),
        empty="No exposure matches. `cascan exposure apply FILE` stores what is expected.",
        notes=["Without a state, exposures that are resolved or suppressed are left out."],
        actions=BULK_ACTIONS if console.is_operator else (),
    )
    return show_listing(request, listing)


def _name_pick(exposure: Exposure) -> str:
    """Only what is active can be decided on."""
    return exposure.exposure_id if exposure.is_active else ""


def decide_each(request: Request) -> Response:
    """The buttons below the list. Raises: BadInput: nothing is picked, or the decision is invalid."""
    console, form = get_console(request), get_form(request)
    action = form.get("action", "")
    if action not in {listed.name for listed in BULK_ACTIONS}:
        raise BadInput(f"action {action!r:.40}: must be one of {', '.join(listed.name for listed in BULK_ACTIONS)}")
    decision = _read_decision(console, form, action, prefix=f"{action}-")

    def decide_one(exposure_id: str) -> str:
        return decide_exposure(console.stack, exposure_id, decision).state.value

    return go_back(request, act_on_each(console, VERBS[action], read_picks(form), decide_one, _describe(decision)))


def _read_decision(console: Console, form: Mapping[str, str], action: str, prefix: str = "") -> Decision:
    """`prefix`: of the names of its fields. Raises: BadInput: an acceptance has no reason."""
    why, until = form.get(f"{prefix}why", "").strip(), form.get(f"{prefix}until", "").strip()
    if action == "accept" and not why:
        raise BadInput("an acceptance needs a reason")
    return Decision(action, by=console.stack.submitter, at=console.clock(), why=why, until=until)


def _describe(decision: Decision) -> str:
    """For the audit list."""
    until = f"until {decision.until}" if decision.action == "accept" else ""
    return " ".join(filter(None, (until, decision.why)))


def _find(console: Console, query: dict[str, str]) -> Iterator[Exposure]:
    """Raises: BadInput: there is no such state."""
    if query["state"] and query["state"] not in set(ExposureState):
        raise BadInput(f"state {query['state']!r:.40}: must be one of {', '.join(ExposureState)}")
    states = [ExposureState(query["state"])] if query["state"] else sorted(ACTIVE_STATES)
    for state in states:
        for _, exposure in console.stack.table.list_exposures(state):
            if _fits(exposure, query):
                yield exposure


def _fits(exposure: Exposure, query: dict[str, str]) -> bool:
    subject, host = exposure.subject, query["host"].casefold()
    return (
        (not is_suppressed(exposure) or query["state"] == ExposureState.ACCEPTED)
        and query["severity"] in ("", exposure.severity.value)
        and query["vantage"] in ("", subject.vantage)
        and host in ("", subject.address, exposure.hostname.casefold())
        and query["owner"].casefold() in exposure.owner.casefold()
    )


def _row(console: Console, exposure: Exposure) -> tuple[object, ...]:
    subject = exposure.subject
    return (
        exposure_link(exposure.exposure_id),
        severity_cell(exposure.severity.value),
        state_cell(exposure.state.value),
        format_age(exposure.first_seen, console.clock()),
        subject.vantage,
        host_link(subject.address),
        exposure.hostname,
        format_port(subject.key),
        subject.kind,
        exposure.owner,
        exposure.sentence,
    )


def show_exposure(request: Request) -> Response:
    console = get_console(request)
    exposure = _get(console, request)
    looks = Listing(
        title="Looks",
        columns=("Seen", "Shows it", "Scan", "Report"),
        rows=(
            (format_time(look.seen_at), "yes" if look.holds else "no", scan_link(look.scan_id), look.report_key)
            for look in reversed(exposure.looks)
        ),
        empty="No look is kept.",
    )
    return show_listing(
        request,
        looks,
        "exposure.html",
        exposure=exposure,
        age=format_age(exposure.first_seen, console.clock()),
        host=host_link(exposure.subject.address),
        reasons=list(list_reasons(exposure)),
        today=console.clock().date().isoformat(),
    )


def decide(request: Request) -> Response:
    """The buttons of an exposure. Raises: BadInput: the decision is invalid or changes nothing."""
    console, form = get_console(request), get_form(request)
    exposure_id, action = _get(console, request).exposure_id, form.get("action", "")
    if action not in ACTIONS:
        raise BadInput(f"action {action!r:.40}: must be one of {', '.join(ACTIONS)}")
    decision = _read_decision(console, form, action)
    subject = f"{exposure_id} {_describe(decision)}".strip()

    def change() -> str:
        decided = decide_exposure(console.stack, exposure_id, decision)
        return f"The exposure is {decided.state.value}."

    return go_to(request, link("exposures", exposure_id), act(console, VERBS[action], subject, change))


def _get(console: Console, request: Request) -> Exposure:
    """Raises: HTTPException: there is none."""
    exposure_id = request.path_params["exposure_id"]
    exposure = console.stack.table.get_exposure(exposure_id)
    if exposure is None:
        raise HTTPException(404, f"There is no exposure {exposure_id[:60]}.")
    return exposure
