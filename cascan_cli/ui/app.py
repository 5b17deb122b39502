"""The console as an ASGI application: routes, errors, static files, and the guard around all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cascan.errors import GatewayUnavailable, UnreadableItem
from cascan_cli.errors import BadInput, CliError
from cascan_cli.ui.console import Console, get_console
from cascan_cli.ui.guard import Guard
from cascan_cli.ui.pages import findings, overview, scan, scans

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
ROUTES = (
    Route("/", overview.show_overview),
    Route("/scans", scans.show_scans),
    Route("/scans/{scan_id}", scan.show_scan),
    Route("/scans/{scan_id}/live", scan.stream_scan),
    Route("/findings", findings.show_findings),
    Mount("/static", StaticFiles(directory=STATIC)),
)


def build_app(console: Console, port: int) -> Starlette:
    """The application. `port`: on which it is reached, by 127.0.0.1 or localhost alone."""
    guard = Middleware(Guard, sessions=console.sessions, role=console.role, port=port)
    handlers = {
        CliError: _show_error,
        GatewayUnavailable: _show_error,
        UnreadableItem: _show_error,
        HTTPException: _show_http_error,
    }
    app = Starlette(routes=ROUTES, middleware=[guard], exception_handlers=handlers)  # type: ignore[arg-type]
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


def _show_http_error(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    sentence = str(exc.detail) if isinstance(exc, HTTPException) else ""
    if request.url.path.startswith("/static/"):
        from starlette.responses import PlainTextResponse

        return PlainTextResponse("There is no such file.\n", status)
    return get_console(request).render(request, "error.html", status=status, sentence=sentence)
