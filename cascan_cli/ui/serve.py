"""Serve the console on this machine until it is interrupted."""

from __future__ import annotations

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

from cascan.limits import CONSOLE_IDLE_S, MAX_CONSOLE_HEADER_BYTES
from cascan_cli.local.private import create_file
from cascan_cli.output.text import print_message
from cascan_cli.ui.app import build_app
from cascan_cli.ui.connection import Connection
from cascan_cli.ui.console import Console
from cascan_cli.ui.peer import Place

GRACE_S = 3  # for open requests at the end; live streams end by themselves
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


def serve(console: Console, listener: socket.socket, *, opens_browser: bool) -> None:
    """Serve until SIGINT or SIGTERM."""
    place: Place = listener.getsockname()
    console.sessions.announce = lambda token: print_message(f"for another browser: {_build_link(place, token)}")
    config = uvicorn.Config(
        build_app(console, *place),
        http=Connection,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=CONSOLE_IDLE_S,
        h11_max_incomplete_event_size=MAX_CONSOLE_HEADER_BYTES,
        timeout_graceful_shutdown=GRACE_S,
    )
    link = _build_link(place, console.sessions.token)
    print_message(f"the console of {console.stack_name} runs as {console.role}; Ctrl-C ends it")
    print(link, flush=True)
    with open_browser(link) if opens_browser and _has_display() else nullcontext():
        _Server(config, console).run(sockets=[listener])


def _build_link(place: Place, token: str) -> str:
    address, port = place
    return f"http://{address}:{port}/?token={token}"


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
