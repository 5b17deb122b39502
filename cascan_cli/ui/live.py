"""Live parts of pages: HTML that is sent again, as server-sent events, whenever it has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, StreamingResponse

from cascan.limits import MAX_CONSOLE_STREAM_S

if TYPE_CHECKING:
    from starlette.responses import Response

    from cascan_cli.ui.console import Console

TOO_MANY = "<p>Other pages are live already. Reload this one to see how far it is.</p>"
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
    shown, ends_at = "", time.monotonic() + MAX_CONSOLE_STREAM_S
    try:
        while not console.is_ending and time.monotonic() < ends_at:
            part = await run_in_threadpool(read)
            if part.html != shown:
                yield _to_event(part.html)
                shown = part.html
            if part.is_last:
                yield END
                return
            await asyncio.sleep(poll_s)
    finally:
        console.streams.give_back()


def _to_event(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines() if line.strip()) + "\n"
