"""The guard in front of all pages: which requests are answered, and with which headers.

A request is answered if it names this server as its host, comes from a page of this server or from no
page, and belongs to a session. One that changes something also has the session's CSRF token, and the
console has the role `operator`. Every other request gets 403 and a plain sentence.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cascan.limits import CONSOLE_SESSION_S, MAX_CONSOLE_FORM_BYTES
from cascan_cli.ui.address import SHARED
from cascan_cli.ui.sessions import Session, Sessions

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING, CHANGING = ("GET", "HEAD"), ("POST",)
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 100
STATIC = "/static/"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FOREIGN_HOST = "This address is not the console's. Use the link that `cascan ui` printed."
FOREIGN_ORIGIN = "The request comes from another site. The console answers only its own pages."
NO_SESSION = (
    "This browser has no session. Use the newest link that `cascan ui` printed in the terminal; each link works once."
)
NO_TOKEN = "The form is of an earlier session. Go back, reload the page, and send it again."  # noqa: S105 - no secret
READ_ONLY = "The console is read-only here: it was started with --role reader."
NOT_A_FORM = "The console accepts forms of its own pages only."
TOO_LONG = (
    f"The form has more than {MAX_CONSOLE_FORM_BYTES} bytes or {MAX_FIELDS} fields. "
    "Send long requests with `cascan submit`."
)


class Role(StrEnum):
    READER = "reader"  # may look at everything
    OPERATOR = "operator"  # may also scan and decide


class Refused(Exception):
    """The request is not answered; `str()` is the sentence."""

    def __init__(self, sentence: str, status: int = 403) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """ASGI middleware around the pages."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions, role: Role, address: str, port: int) -> None:
        self._app, self._sessions, self._role = app, sessions, role
        names = {address} | ({"localhost"} if address == SHARED else set())
        self._hosts = {f"{name}:{port}" for name in names}
        self._origins = {f"http://{host}" for host in self._hosts}
        # Cookies do not tell ports apart: two consoles at one address need two names
        self._cookies = f"cascan_{port}_"
        self._cookie = self._cookies + sessions.name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        try:
            response = await self._check(scope, headers, receive)
        except Refused as refused:
            response = _refuse(scope, headers, refused)
        if response is None:
            await self._app(scope, receive, _add_headers(send))
        else:
            await response(scope, receive, _add_headers(send))

    async def _check(self, scope: Scope, headers: Headers, receive: Receive) -> Response | None:
        """None: the pages may answer. Raises: Refused."""
        self._check_source(scope, headers)
        if scope["path"].startswith(STATIC):
            return None
        session = self._find_session(headers)
        if session is None:
            return self._enter(scope, headers)
        scope["state"] = {"session": session}
        if scope["method"] in CHANGING:
            scope["state"]["form"] = await self._read_form(headers, session, receive)
        return None

    def _check_source(self, scope: Scope, headers: Headers) -> None:
        """Raises: Refused: another host, another site, or a method that no page has."""
        if len(headers.getlist("host")) != 1 or headers["host"].lower() not in self._hosts:
            raise Refused(FOREIGN_HOST)
        if scope["method"] not in (*READING, *CHANGING):
            raise Refused("The console has no such method.", 405)
        self._check_origin(scope["method"], headers.get("origin"), headers.get("sec-fetch-site"))

    def _check_origin(self, method: str, origin: str | None, site: str | None) -> None:
        """Raises: Refused: a page of another site asks."""
        # A form's origin is `null` under our referrer policy, also from our own pages
        is_ours = origin in self._origins or (origin == "null" and site == "same-origin")
        if origin is not None and not is_ours:
            raise Refused(FOREIGN_ORIGIN)
        if method in CHANGING and (origin is None or site not in (None, "same-origin")):
            raise Refused(FOREIGN_ORIGIN)

    def _find_session(self, headers: Headers) -> Session | None:
        # Programs on other ports set cookies for this host too; SimpleCookie finds none beside a malformed one
        cookies = cookie_parser(headers.get("cookie", ""))
        return self._sessions.find(cookies.get(self._cookie, ""))

    def _enter(self, scope: Scope, headers: Headers) -> Response:
        """Exchange the token in the address for a cookie. Raises: Refused: there is no valid token."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        session = self._sessions.exchange(query.pop("token", "")) if scope["method"] == "GET" else None
        if session is None:
            raise Refused(NO_SESSION)
        # No redirect: a browser sends a strict cookie only if one of our pages asks
        place = escape(_build_place(scope["path"], query))
        refresh = f'<meta http-equiv="refresh" content="0;url={place}">'
        response = _build_plain_page(f'<p><a href="{place}">The console</a></p>', refresh)
        response.set_cookie(
            self._cookie, session.key, max_age=CONSOLE_SESSION_S, path="/", httponly=True, samesite="strict"
        )
        for name in cookie_parser(headers.get("cookie", "")):
            if name.startswith(self._cookies) and name != self._cookie:  # of a console that has ended
                response.delete_cookie(name, path="/", httponly=True, samesite="strict")
        return response

    async def _read_form(self, headers: Headers, session: Session, receive: Receive) -> Mapping[str, str]:
        """The fields of the form. Raises: Refused: the role, the form or its token."""
        if self._role is not Role.OPERATOR:
            raise Refused(READ_ONLY)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            raise Refused(NOT_A_FORM)
        body = await _read_body(receive)
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
        except UnicodeDecodeError:
            raise Refused(NOT_A_FORM) from None
        except ValueError:
            raise Refused(TOO_LONG, 413) from None
        fields = dict(pairs)
        if not secrets.compare_digest(fields.pop("csrf", "").encode(), session.csrf.encode()):
            raise Refused(NO_TOKEN)
        return fields


async def _read_body(receive: Receive) -> bytes:
    """Raises: Refused: it is longer than MAX_CONSOLE_FORM_BYTES."""
    body, has_more = bytearray(), True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(NOT_A_FORM)
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
        if len(body) > MAX_CONSOLE_FORM_BYTES:
            raise Refused(TOO_LONG, 413)
    return bytes(body)


def _build_place(path: str, query: Mapping[str, str]) -> str:
    """The address on this server; never that of another one, as //host would be."""
    place = "/" + quote(path.lstrip("/\\"))
    return f"{place}?{urlencode(query)}" if query else place


def _refuse(scope: Scope, headers: Headers, refused: Refused) -> Response:
    """The sentence; in a browser that came from elsewhere, with a link by which it sends its cookie."""
    sentence = str(refused)
    if headers.get("hx-request") == "true":  # a script of our pages, which shows what is in place of a list
        text = f'<div id="list"><p class="message" role="alert">{escape(sentence)}</p></div>'
        return HTMLResponse(text, refused.status)
    came_from_elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if sentence != NO_SESSION or not came_from_elsewhere or scope["method"] != "GET":
        return PlainTextResponse(f"{sentence}\n", refused.status)
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    query.pop("token", None)
    place = escape(_build_place(scope["path"], query))
    text = f'<p>{escape(sentence)}</p><p><a href="{place}">Go on if it has one</a></p>'
    return _build_plain_page(text, status=refused.status)


def _build_plain_page(body: str, head: str = "", status: int = 200) -> Response:
    """A page that needs no session."""
    icon = '<link rel="icon" href="/static/icon.svg">'
    head = f'<meta charset="utf-8"><title>cascan</title>{icon}{head}'
    return HTMLResponse(f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>', status)


def _add_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers
