"""The emulator behind a guard: calls without the stack's secret are refused before the emulator sees them.

    python -P guard.py      the secret in AWS_SESSION_TOKEN, the port in GATEWAY_PORT

The emulator runs code as the owner of the stack, and believes everybody: every user of the machine reaches a port on
loopback, and so does every web page that a browser of this machine shows. A call passes with the secret as session
token, which an AWS SDK sends with every request by itself, under the one host name that the stack uses, and with no
header that only a browser sends. ADR 27 has the reasons.

Runs by itself: what it needs of the project is in this file.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

HOST = "127.0.0.1"
TOKEN_HEADER = "x-amz-security-token"  # noqa: S105 - a header's name
NONCE_HEADER = "x-cascan-nonce"
PROOF_PATH = "/_cascan/proof"
MAX_NONCE_BYTES = 64
BROWSERS_ALONE = frozenset({b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"access-control-request-method"})
SHARES_WITH_PAGES = b"access-control-"  # how response headers begin that let pages of other origins read an answer
KEEP_ALIVE_S = 75
FORBIDDEN, UNAVAILABLE = 403, 503
RESERVED_BYTES = 32_000_000  # for the tables, which are saved at the end: 7 MB, and more after many scans
NO_ROOM = b"<Error><Code>ServiceUnavailable</Code><Message>The disk of the local stack is full.</Message></Error>"
SAVE_FAILED = ("persistence: failed to save", "persistence: error getting state", "failed to persist s3 object")
NOT_SAVED = "what the emulator held could not be saved: the next start makes the tables again from the stored reports"
POLICY_VIOLATION = 1008  # of a WebSocket: RFC 6455, 7.4.1

Headers = Iterable[tuple[bytes, bytes]]


def compute_proof(secret: str, nonce: bytes) -> bytes:
    """What somebody who knows the secret answers to this nonce."""
    return hmac.new(secret.encode(), b"cascan guard\0" + nonce, hashlib.sha256).hexdigest().encode()


class Guard:
    """An ASGI application that passes on what the owner of the stack asks of another one."""

    def __init__(self, application: ASGIFramework, secret: str, host: str, disk: str = "/") -> None:
        self._application = application
        self._disk = disk
        self._secret = secret
        self._host = host.encode()
        self._logged: set[str] = set()  # each reason once: who is refused must not fill the disk

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif reason := self._foreign(scope["headers"]):
            await self._refuse(scope, send, reason)
        elif scope["path"] == PROOF_PATH:
            await _answer(send, 200, compute_proof(self._secret, _nonce(scope["headers"])))
        elif not self._has_secret(scope["headers"]):
            await self._refuse(scope, send, "it does not carry the secret of this stack as its session token")
        elif scope["type"] == "http" and scope["method"] == "PUT" and self._lacks_room(scope["headers"]):
            await _answer(send, UNAVAILABLE, NO_ROOM)
        else:
            await self._application(scope, receive, _for_no_page(send))

    def _foreign(self, headers: Headers) -> str:
        """Why a call is none of the stack's own, whatever it carries; "": it may be."""
        if [value for name, value in headers if name == b"host"] != [self._host]:
            return f"its Host is not {self._host.decode()}"
        if any(name in BROWSERS_ALONE for name, _ in headers):
            return "it comes from a web page"
        return ""

    def _lacks_room(self, headers: Headers) -> bool:
        """The emulator would accept the object, fail to write it to the disk, and lose it at its end."""
        lengths = [int(value) for name, value in headers if name == b"content-length" and value.isdigit()]
        return shutil.disk_usage(self._disk).free < sum(lengths) + RESERVED_BYTES

    def _has_secret(self, headers: Headers) -> bool:
        tokens = [value for name, value in headers if name == TOKEN_HEADER.encode()]
        return len(tokens) == 1 and hmac.compare_digest(tokens[0], self._secret.encode())

    async def _refuse(self, scope: Scope, send: ASGISendCallable, reason: str) -> None:
        if reason not in self._logged:
            self._logged.add(reason)
            print(f"refused a call, and others like it from now on: {reason}", file=sys.stderr, flush=True)
        if scope["type"] == "http":
            await _answer(send, FORBIDDEN, _error(reason, scope["headers"]))
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": None})


def _nonce(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == NONCE_HEADER.encode()), b"")[:MAX_NONCE_BYTES]


def _error(reason: str, headers: Headers) -> bytes:
    """The refusal as the SDKs read it: JSON for the services that speak it, XML for the others."""
    message = f"The guard of the local stack refuses this call: {reason}."
    if any(name == b"x-amz-target" or (name == b"content-type" and b"json" in value) for name, value in headers):
        return f'{{"__type": "AccessDeniedException", "message": "{message}"}}'.encode()
    error = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>".encode()


async def _answer(send: ASGISendCallable, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _for_no_page(send: ASGISendCallable) -> ASGISendCallable:
    """The emulator lets pages of every origin read its answers; these headers go."""

    async def without(event: ASGISendEvent) -> None:
        if event["type"] == "http.response.start":
            kept = [(name, value) for name, value in event["headers"] if not _shares(name)]
            event = {**event, "headers": kept}
        await send(event)

    return without


def _shares(name: bytes) -> bool:
    return name.lower().startswith(SHARES_WITH_PAGES)


def main() -> None:
    """Serve the emulator until SIGTERM; what it holds is kept then. The exit code is 0 if all of it was."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server takes over, there is nothing new to keep
    secret, port = os.environ.get("AWS_SESSION_TOKEN", ""), int(os.environ["GATEWAY_PORT"])
    if not secret:
        sys.exit("AWS_SESSION_TOKEN holds no secret, and without one everybody would be answered")
    _allow_many_connections()

    import asyncio  # every command imports this module for its names

    import ministack.app  # reads the environment, and takes 0.2 s
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.loglevel = os.environ.get("LOG_LEVEL", "WARNING")
    application: Any = ministack.app.app
    failures = _SaveFailures()
    asyncio.run(serve(Guard(application, secret, f"{HOST}:{port}", os.environ["S3_DATA_DIR"]), config))
    if failures.any:
        sys.exit(NOT_SAVED)


class _SaveFailures(logging.Handler):
    """Hears that the emulator could not save something: it logs that, and ends as if nothing were wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.any = False
        for name in ("persistence", "s3"):
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.any = self.any or record.msg.lower().startswith(SAVE_FAILED)


def _allow_many_connections() -> None:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
