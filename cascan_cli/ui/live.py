"""Live parts of pages: HTML that is sent again, as server-sent events, whenever it has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, StreamingResponse

from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_CONSOLE_STREAM_S
from cascan_cli.errors import CliError

if TYPE_CHECKING:
    from starlette.responses import Response

    from cascan_cli.ui.console import Console

TOO_MANY = "<p>Other pages are live already. Reload this one to see how far it is.</p>"
HEARTBEAT, HEARTBEAT_S = ": nothing has changed\n\n", 10.0  # shows the server which browsers are gone
END = "event: end\ndata: end\n\n"


class Part(NamedTuple):
    html: str
    is_last: bool = False  # nothing changes any more


def stream_part(console: Console, read: Callable[[], Part], poll_s: float) -> Response:
    """What `read` returns every `poll_s` seconds, if it changed, until it is the last or the console ends.

    With MAX_CONSOLE_STREAMS others, a sentence in its place.
    """
    if not console.streams.take():
        return HTMLResponse(TOO_MANY)
    return StreamingResponse(_send_changes(console, read, poll_s), media_type="text/event-stream")


async def _send_changes(console: Console, read: Callable[[], Part], poll_s: float) -> AsyncIterator[str]:
    shown, sent_at, ends_at = "", time.monotonic(), time.monotonic() + MAX_CONSOLE_STREAM_S
    try:
        while not console.is_ending and time.monotonic() < ends_at:
            part = await run_in_threadpool(read)
            if part.html != shown or time.monotonic() - sent_at > HEARTBEAT_S:
                yield _to_event(part.html) if part.html != shown else HEARTBEAT
                shown, sent_at = part.html, time.monotonic()
            if part.is_last:
                yield END
                return
            await asyncio.sleep(poll_s)
    except (CliError, GatewayUnavailable, HTTPException):
        return  # the browser connects again, and then sees why
    finally:
        console.streams.give_back()


def _to_event(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines() if line.strip()) + "\n"
