"""Serve the console on 127.0.0.1 until it is interrupted."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from html import escape
from pathlib import Path

import uvicorn

from cascan_cli.errors import BadInput, CliError
from cascan_cli.local.private import create_file
from cascan_cli.output.text import print_message
from cascan_cli.ui.app import build_app
from cascan_cli.ui.console import Console

ADDRESS = "127.0.0.1"
DEFAULT_PORT = 8822
GRACE_S = 3  # for open requests at the end; live streams end by themselves
MAX_CONNECTIONS = 64
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


class _Server(uvicorn.Server):
    """Notifies the live pages when it ends."""

    def __init__(self, config: uvicorn.Config, console: Console) -> None:
        super().__init__(config)
        self._console = console

    async def on_tick(self, counter: int) -> bool:
        should_end = await super().on_tick(counter)
        self._console.is_ending = should_end
        return should_end


def listen(port: int | None) -> socket.socket:
    """A socket on this machine alone; without a port the usual one, or any if that is taken.

    Raises: BadInput: the port is taken. CliError: it may not be used.
    """
    usual = DEFAULT_PORT if port is None else port
    try:
        try:
            return _bind(usual)
        except OSError as exc:
            if port is not None or exc.errno != errno.EADDRINUSE:
                raise
            return _bind(0)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise BadInput(f"--port {port}: another program uses it") from exc
        raise CliError(f"the console cannot listen on {ADDRESS}: {exc.strerror}") from exc


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def serve(console: Console, listener: socket.socket, *, opens_browser: bool) -> None:
    """Serve until SIGINT or SIGTERM."""
    port = listener.getsockname()[1]
    console.sessions.announce = lambda token: print_message(f"for another browser: {_build_link(port, token)}")
    config = uvicorn.Config(
        build_app(console, port),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
    )
    link = _build_link(port, console.sessions.token)
    print_message(f"the console of {console.stack_name} runs as {console.role}; Ctrl-C ends it")
    print(link, flush=True)
    with open_browser(link) if opens_browser and _has_display() else nullcontext():
        _Server(config, console).run(sockets=[listener])


def _build_link(port: int, token: str) -> str:
    return f"http://{ADDRESS}:{port}/?token={token}"


def _has_display() -> bool:
    return sys.platform == "darwin" or any(map(os.environ.get, DISPLAYS))


@contextmanager
def open_browser(link: str) -> Iterator[None]:
    """Open the link by way of a private file: a browser's command line can be read by every user."""
    with tempfile.TemporaryDirectory(prefix="cascan-console-") as folder:
        page = Path(folder, "open.html")
        create_file(page, f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(link)}">')
        webbrowser.open(page.as_uri())
        yield
