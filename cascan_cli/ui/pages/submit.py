"""/submit: write a request, see what would become of it, and send it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from cascan.findings.redact import redact_parameters
from cascan.planning.explain import Explanation
from cascan_cli.errors import BadInput
from cascan_cli.input.raw_sockets import require_raw_sockets
from cascan_cli.output.text import shorten_list
from cascan_cli.stack.explain_request import explain_request
from cascan_cli.stack.scan_ids import expected_scan_id
from cascan_cli.ui.audit import act
from cascan_cli.ui.console import Console, get_console, get_form, go_to
from cascan_cli.ui.listing import link, read_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

FIELDS = ("targets", "parameters", "name", "exclude", "vantage", "labels")
SHOWN_TARGETS = 5  # in the audit list


def show_form(request: Request) -> Response:
    """The form, filled in from the address; once it names targets, with an explanation of the request."""
    fields = read_query(request, *FIELDS)
    if not any(fields.values()):
        return _render(request, fields)
    try:
        return _render(request, fields, explained=_explain(get_console(request), fields))
    except BadInput as exc:
        return _render(request, fields, status=400, problem=str(exc))


def send_form(request: Request) -> Response:
    """Send the request, unless it would be refused."""
    console, form = get_console(request), get_form(request)
    fields = {name: form.get(name, "").strip() for name in FIELDS}
    try:
        explained = _explain(console, fields)
    except BadInput as exc:
        return _render(request, fields, status=400, problem=str(exc))
    if not explained.accepted:
        return _render(request, fields, status=400, explained=explained)
    scan_ids: list[str] = []

    def send() -> str:
        scan_ids.append(submit(console, json.dumps(build_request(fields))))
        return f"Scan {scan_ids[0]} was requested."

    sentence = act(console, "scan", _describe_request(fields), send)
    return go_to(request, link("scans", scan_ids[0]), sentence)


def _explain(console: Console, fields: Mapping[str, str]) -> Explanation:
    """Raises: BadInput."""
    return explain_request(json.dumps(build_request(fields)), console.args)


def submit(console: Console, body: str) -> str:
    """Send the request. Returns the id of its scan. Raises: BadInput: this machine cannot run it."""
    require_raw_sockets(body, console.args)
    message_id = console.stack.request_queue.send(body)
    scan_id = expected_scan_id(body, message_id, console.stack)
    console.note_requested(scan_id)
    return scan_id


def build_request(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields as a request in the short form. Raises: BadInput: quotation marks or labels are wrong."""
    try:
        parameters = shlex.split(fields["parameters"])
    except ValueError as exc:
        raise BadInput(f"options for nmap: {exc}") from exc
    targets = fields["targets"].split()
    if not targets:
        raise BadInput("targets: name at least one address, network, range or host name")
    request: dict[str, Any] = {"targets": targets, "parameters": parameters, "exclude": fields["exclude"].split()}
    if fields["name"]:
        request["name"] = fields["name"]
    if fields["vantage"]:
        request["vantage"] = [fields["vantage"]]
    labels = dict(_split_label(text) for text in fields["labels"].split())
    return request | ({"labels": labels} if labels else {})


def _split_label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise BadInput(f"labels: {text!r:.60} is not KEY=VALUE")
    return key, value


def _describe_request(fields: Mapping[str, str]) -> str:
    options = shlex.join(redact_parameters(shlex.split(fields["parameters"])))
    return f"{shorten_list(fields['targets'].split(), SHOWN_TARGETS)} {options}".strip()


def _render(
    request: Request,
    fields: Mapping[str, str],
    *,
    status: int = 200,
    explained: Explanation | None = None,
    problem: str = "",
) -> Response:
    vantages = [vantage.name for vantage in get_console(request).stack.table.vantages() if not vantage.removed_at]
    return get_console(request).render(
        request,
        "submit.html",
        status=status,
        fields=fields,
        explained=explained,
        argv=shlex.join(explained.argv) if explained else "",
        problem=problem,
        vantages=vantages,
    )
