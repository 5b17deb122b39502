"""The console as an ASGI application: routes, errors, static files, and the guard around all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cascan.errors import GatewayUnavailable, UnreadableItem
from cascan_cli.errors import BadInput, CliError
from cascan_cli.ui.console import Console, get_console
from cascan_cli.ui.guard import HEADERS, Guard
from cascan_cli.ui.pages import (
    audit,
    changes,
    coverage,
    exposures,
    findings,
    host,
    inventory,
    messages,
    overview,
    reach,
    rules,
    saved_filters,
    scan,
    scans,
    schedules,
    submit,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

UNEXPECTED = "The console failed unexpectedly. The terminal in which it runs shows the error.\n"
STATIC = Path(__file__).parent / "static"
ROUTES = (
    Route("/", overview.show_overview),
    Route("/scans", scans.show_scans),
    Route("/scans/live", scans.stream_scans),
    Route("/scans/{scan_id}", scan.show_scan),
    Route("/scans/{scan_id}", scan.control_scan, methods=["POST"]),
    Route("/scans/{scan_id}/live", scan.stream_scan),
    Route("/findings", findings.show_findings),
    Route("/submit", submit.show_form),
    Route("/submit", submit.send_form, methods=["POST"]),
    Route("/hosts/{address}", host.show_host),
    Route("/hosts/{address}", host.scan_host, methods=["POST"]),
    Route("/inventory", inventory.show_inventory),
    Route("/exposures", exposures.show_exposures),
    Route("/exposures", exposures.decide_each, methods=["POST"]),
    Route("/exposures/{exposure_id}", exposures.show_exposure),
    Route("/exposures/{exposure_id}", exposures.decide, methods=["POST"]),
    Route("/schedules", schedules.show_schedules),
    Route("/schedules/{name}", schedules.show_schedule),
    Route("/schedules/{name}", schedules.change_schedule, methods=["POST"]),
    Route("/messages", messages.show_messages),
    Route("/messages", messages.change_messages, methods=["POST"]),
    Route("/rules", rules.show_rules),
    Route("/rules/{name}", rules.show_rule),
    Route("/changes", changes.show_changes),
    Route("/coverage", coverage.show_coverage),
    Route("/reach", reach.show_reach),
    Route("/audit", audit.show_audit),
    Route("/saved-filters", saved_filters.change_saved_filters, methods=["POST"]),
    Mount("/static", StaticFiles(directory=STATIC)),
)


def build_app(console: Console, address: str, port: int) -> Starlette:
    """The application, which is reached at this address and port alone."""
    guard = Middleware(Guard, sessions=console.sessions, role=console.role, address=address, port=port)
    handlers: Mapping[Any, Any] = {
        CliError: _show_error,
        GatewayUnavailable: _show_error,
        UnreadableItem: _show_error,
        HTTPException: _show_http_error,
        Exception: _show_unexpected,
    }
    app = Starlette(routes=ROUTES, middleware=[guard], exception_handlers=handlers)
    app.state.console = console
    return app


def _show_error(request: Request, exc: Exception) -> Response:
    """A page with the sentence of an error."""
    sentence = str(exc)
    if isinstance(exc, GatewayUnavailable):
        sentence = f"The stack does not answer: {exc}"
    elif isinstance(exc, UnreadableItem):
        sentence = f"{exc}; use the version of cascan that wrote it"
    status = 400 if isinstance(exc, BadInput) else 503
    return get_console(request).render(request, "error.html", status=status, sentence=sentence)


def _show_unexpected(_: Request, __: Exception) -> Response:
    """Outside of the guard, so with its headers. The server logs the error."""
    return PlainTextResponse(UNEXPECTED, 500, headers=HEADERS)


def _show_http_error(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    sentence = str(exc.detail) if isinstance(exc, HTTPException) else ""
    if request.url.path.startswith("/static/"):
        return PlainTextResponse("There is no such file.\n", status)
    return get_console(request).render(request, "error.html", status=status, sentence=sentence)
