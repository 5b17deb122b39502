"""The guard in front of the emulator: refuses requests without the stack's secret.

    python -P guard.py      the secret in AWS_SESSION_TOKEN, the port in GATEWAY_PORT

The emulator runs code as the owner of the stack and checks no credentials, and its port on loopback
can be reached by every user of this machine and every web page in a browser here. The guard passes
a request that has the secret as its session token, which an AWS SDK sends with every request, the
host name of the stack, and no header that only a browser sends. ADR 27 has the reasons.

This script imports nothing of the project but four scripts of the same folder: three make the emulator faster
(ADR 56), one saves its table for commands that only read (ADR 64).
"""

from __future__ import annotations

import gc
import hashlib
import hmac
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logging import Handler, LogRecord

    from hypercorn.config import Config
    from hypercorn.typing import (
        ASGIFramework,
        ASGIReceiveCallable,
        ASGISendCallable,
        ASGISendEvent,
        Scope,
    )

HOST = "127.0.0.1"
TOKEN_HEADER = "x-amz-security-token"  # noqa: S105 - a header's name
NONCE_HEADER = "x-cascan-nonce"
PROOF_PATH = "/_cascan/proof"
MAX_NONCE_BYTES = 64
BROWSERS_ALONE = frozenset(
    {
        b"origin",
        b"sec-fetch-site",
        b"sec-fetch-mode",
        b"access-control-request-method",
    }
)
# How response headers begin that let pages of other origins read an answer
SHARES_WITH_PAGES = b"access-control-"
KEEP_ALIVE_S = 75
# The folder of the functions, if they are to be forked (forks.py)
FUNCTIONS_VARIABLE = "CASCAN_FUNCTIONS"
# The file in which the table is saved for reading (save_table.py)
TABLE_VARIABLE = "CASCAN_SAVED_TABLE"
# From SIGTERM on. One second later the keeper may kill us, and what was saved before would be given up
SAVE_TABLE_WITHIN_S = 4.0
FORBIDDEN, UNAVAILABLE = 403, 503
# For the tables, which are saved at the end: 7 MB, and more after many scans
RESERVED_BYTES = 32_000_000
NO_ROOM = b"<Error><Code>ServiceUnavailable</Code><Message>The disk of the local stack is full.</Message></Error>"
SAVE_FAILED = (
    "persistence: failed to save",
    "persistence: error getting state",
    "failed to persist s3 object",
)
NOT_SAVED = "what the emulator held could not be saved: the next start makes the tables again from the stored reports"
POLICY_VIOLATION = 1008  # of a WebSocket: RFC 6455, 7.4.1

Headers = Iterable[tuple[bytes, bytes]]


def compute_proof(secret: str, nonce: bytes) -> bytes:
    """The answer to this nonce, which proves that the program knows the secret."""
    return hmac.new(secret.encode(), b"cascan guard\0" + nonce, hashlib.sha256).hexdigest().encode()


class Guard:
    """An ASGI application that passes requests of the stack's owner to the emulator."""

    def __init__(self, application: ASGIFramework, secret: str, host: str, disk: str = "/") -> None:
        self._application = application
        self._disk = disk
        self._secret = secret
        self._host = host.encode()
        self._logged: set[str] = set()  # each reason once: refused requests must not fill the disk

    async def __call__(
        self,
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
    ) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif reason := self._find_foreign_mark(scope["headers"]):
            await self._refuse(scope, send, reason)
        elif scope["path"] == PROOF_PATH:
            await _answer(send, 200, compute_proof(self._secret, _nonce(scope["headers"])))
        elif not self._has_secret(scope["headers"]):
            await self._refuse(
                scope,
                send,
                "it does not carry the secret of this stack as its session token",
            )
        elif self._is_upload_without_room(scope):
            await _answer(send, UNAVAILABLE, NO_ROOM)
        else:
            await self._application(scope, receive, _without_sharing_headers(send))

    def _is_upload_without_room(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "PUT":
            return False
        return self._lacks_room(scope["headers"])

    def _find_foreign_mark(self, headers: Headers) -> str:
        """Why a request cannot be one of the stack's, even with the secret; "" if it can."""
        if [value for name, value in headers if name == b"host"] != [self._host]:
            return f"its Host is not {self._host.decode()}"
        if any(name in BROWSERS_ALONE for name, _ in headers):
            return "it comes from a web page"
        return ""

    def _lacks_room(self, headers: Headers) -> bool:
        """Whether the disk is too full for the object.

        The emulator would accept it, and lose it at its end.
        """
        values = [value for name, value in headers if name == b"content-length"]
        lengths = [int(value) for value in values if value.isdigit()]
        return shutil.disk_usage(self._disk).free < sum(lengths) + RESERVED_BYTES

    def _has_secret(self, headers: Headers) -> bool:
        tokens = [value for name, value in headers if name == TOKEN_HEADER.encode()]
        return len(tokens) == 1 and hmac.compare_digest(tokens[0], self._secret.encode())

    async def _refuse(self, scope: Scope, send: ASGISendCallable, reason: str) -> None:
        if reason not in self._logged:
            self._logged.add(reason)
            print(
                f"refused a call, and others like it from now on: {reason}",
                file=sys.stderr,
                flush=True,
            )
        if scope["type"] == "http":
            await _answer(send, FORBIDDEN, _error(reason, scope["headers"]))
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": None})


def _nonce(headers: Headers) -> bytes:
    name = NONCE_HEADER.encode()
    nonces = (value for header_name, value in headers if header_name == name)
    return next(nonces, b"")[:MAX_NONCE_BYTES]


def _announces_json(name: bytes, value: bytes) -> bool:
    return name == b"x-amz-target" or (name == b"content-type" and b"json" in value)


def _error(reason: str, headers: Headers) -> bytes:
    """The refusal in the format of the service: JSON or XML."""
    message = f"The guard of the local stack refuses this call: {reason}."
    if any(_announces_json(name, value) for name, value in headers):
        return f'{{"__type": "AccessDeniedException", "message": "{message}"}}'.encode()
    error = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>".encode()


async def _answer(send: ASGISendCallable, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": headers,
            "trailers": False,
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _without_sharing_headers(send: ASGISendCallable) -> ASGISendCallable:
    """Remove the headers that let web pages of every origin read the responses."""

    async def send_without(event: ASGISendEvent) -> None:
        if event["type"] == "http.response.start":
            headers = [(name, value) for name, value in event["headers"] if not _shares(name)]
            event = {**event, "headers": headers}
        await send(event)

    return send_without


def _shares(name: bytes) -> bool:
    return name.lower().startswith(SHARES_WITH_PAGES)


def main() -> None:
    """Serve the emulator until SIGTERM; then it saves its state.

    The exit code is 0 if all of it was saved. Then it saves its table for reading.
    """
    # Before the server runs, there is nothing to save
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    secret, port = os.environ.get("AWS_SESSION_TOKEN", ""), int(os.environ["GATEWAY_PORT"])
    if not secret:
        sys.exit("AWS_SESSION_TOKEN is empty; without a secret the guard cannot refuse anybody")
    _allow_many_connections()

    import asyncio  # late: every command imports this module for its constants

    forks_module, restore = _load_sibling("forks"), _load_sibling("restore")
    functions, saved_table = os.environ.pop(FUNCTIONS_VARIABLE, ""), os.environ.pop(TABLE_VARIABLE, "")
    forks = forks_module.Forks.start(functions) if functions else None

    gc.disable()  # a tenth of the time of the imports
    import ministack.app  # reads the environment, and takes 0.2 s
    import ministack.core.lambda_runtime
    import ministack.core.persistence
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.loglevel = os.environ.get("LOG_LEVEL", "WARNING")
    restore.restore_on_import(ministack.app)
    _load_sibling("save_state").save_at_once(ministack.app, ministack.core.persistence)
    if forks:
        forks.install(ministack.core.lambda_runtime)
    gc.freeze()
    gc.enable()
    application: Any = ministack.app.app
    failures = _SaveFailures()
    failures.listen()
    guard = Guard(application, secret, f"{HOST}:{port}", os.environ["S3_DATA_DIR"])
    termination = _Termination()
    asyncio.run(termination.serve_until(guard, config))
    if failures.any:
        sys.exit(NOT_SAVED)
    if saved_table:
        _save_table(ministack.app, Path(saved_table), termination.at + SAVE_TABLE_WITHIN_S)


class _Termination:
    """SIGTERM or SIGINT, and when it came."""

    def __init__(self) -> None:
        self.at = -math.inf

    async def serve_until(self, application: Any, config: Config) -> None:
        import asyncio

        from hypercorn.asyncio import serve

        signalled = asyncio.Event()

        def note() -> None:
            if not signalled.is_set():
                self.at = time.monotonic()
            signalled.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, note)
        await serve(application, config, shutdown_trigger=signalled.wait)


def _save_table(app: Any, path: Path, deadline: float) -> None:
    """Save the table for reading. Without the file, the next command that reads starts a stack."""
    try:
        # Its API reads a megabyte at a time
        tables, queues = (app._get_module("dynamodb")._tables, app._get_module("sqs")._queues)  # noqa: SLF001
        save_table = _load_sibling("save_table")
        next_message_at = save_table.find_next_message(queues)
        save_table.save_table(tables, next_message_at, Path(os.environ["STATE_DIR"]), path, deadline)
    except Exception as exc:  # noqa: BLE001 - all else is saved, which must not be given up
        print(f"the table is not saved for reading: {exc}", file=sys.stderr, flush=True)


def _load_sibling(name: str) -> Any:
    """A script beside this one, whose folder is not among those that modules come from."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(f"cascan_local_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _SaveFailures:
    """Notices that the emulator failed to save something, which it only logs."""

    def __init__(self) -> None:
        self.any = False

    def listen(self) -> Handler:
        """Returns what has been added to the emulator's loggers."""
        import logging  # late, as above

        handler = logging.Handler(logging.WARNING)
        handler.emit = self._look_at  # type: ignore[method-assign]
        for name in ("persistence", "s3"):
            logging.getLogger(name).addHandler(handler)
        return handler

    def _look_at(self, record: LogRecord) -> None:
        self.any = self.any or record.msg.lower().startswith(SAVE_FAILED)


def _allow_many_connections() -> None:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
