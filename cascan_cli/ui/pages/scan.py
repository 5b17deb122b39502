"""/scans/ID: one scan, live while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, StreamingResponse

from cascan.ids import SCAN_ID
from cascan.limits import MAX_CONSOLE_STREAM_S
from cascan.model.scan import FINAL_STATES, Scan
from cascan.model.shard import ShardState
from cascan.queries.read_findings import read_findings
from cascan.rules.severity import to_count_key
from cascan_cli.output.scan import describe_permission, finding_detail, format_cost, format_reason, running_progress
from cascan_cli.ui.console import Console, get_console
from cascan_cli.ui.listing import Listing, link, show_listing
from cascan_cli.ui.pages.cells import find_address, host_link, severity_cell

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

POLL_S = 0.5
MAX_SHARDS_QUERIED = 200  # of a wider scan the number of its shards is progress enough
FINDING_COLUMNS = ("Severity", "Address", "Location", "Finding", "Category", "Detail")


def find_scan(console: Console, scan_id: str) -> Scan:
    """Raises: HTTPException: there is no such scan."""
    scan = console.stack.table.get_scan(scan_id) if SCAN_ID.fullmatch(scan_id) else None
    if scan is None:
        raise HTTPException(404, f"There is no scan {scan_id[:40]}.")
    return scan


def show_scan(request: Request) -> Response:
    console = get_console(request)
    scan = find_scan(console, request.path_params["scan_id"])
    findings = read_findings(scan, console.stack.table)
    listing = Listing(
        title=f"Scan {scan.name}",
        columns=FINDING_COLUMNS,
        rows=(
            (
                severity_cell(to_count_key(finding)),
                host_link(find_address(finding)),
                finding.location,
                finding.name,
                finding.category,
                finding_detail(finding, console.clock()),
            )
            for finding in findings
        ),
        empty="No finding is stored.",
    )
    return show_listing(
        request,
        listing,
        "scan.html",
        scan=scan,
        live=f"{link('scans', scan.scan_id)}/live" if scan.state not in FINAL_STATES else "",
        **_describe(console, scan),
    )


def _describe(console: Console, scan: Scan) -> dict[str, Any]:
    """What the head of the page shows, and the live part replaces."""
    reasons = [(reason.code, format_reason(reason)) for reason in scan.reasons.listed]
    return {
        "progress": _describe_progress(console, scan),
        "reasons": reasons,
        "more_reasons": max(0, scan.reasons.count - len(reasons)),
        "cost": format_cost(scan),
        "permission": describe_permission(scan.request) if scan.request else "",
    }


def _describe_progress(console: Console, scan: Scan) -> str:
    """What nmap does now; empty if no shard runs, or there are too many to ask."""
    if scan.shards > MAX_SHARDS_QUERIED or not scan.shards_in_flight:
        return ""
    running = console.stack.table.list_shards_in(scan.scan_id, ShardState.RUNNING)
    return running_progress(islice(running, MAX_SHARDS_QUERIED))


async def stream_scan(request: Request) -> Response:
    """Server-sent events: the head of the page each time it changes, until the scan has ended."""
    console, scan_id = get_console(request), request.path_params["scan_id"]
    await run_in_threadpool(find_scan, console, scan_id)
    if not console.streams.take():
        return HTMLResponse("<p>Other pages are live already. Reload this one to see how far the scan is.</p>")

    def read() -> tuple[str, bool]:
        scan = find_scan(console, scan_id)
        has_ended = scan.state in FINAL_STATES
        text = console.render_text(
            "scan_head.html", scan=scan, has_ended=has_ended, place=link("scans", scan_id), **_describe(console, scan)
        )
        return text, has_ended

    return StreamingResponse(stream_changes(console, read), media_type="text/event-stream")


async def stream_changes(console: Console, read: Callable[[], tuple[str, bool]]) -> AsyncIterator[str]:
    """What `read` returns, whenever it changes, as events. `read` also says whether that was the last."""
    shown, ends_at = "", time.monotonic() + MAX_CONSOLE_STREAM_S
    try:
        while not console.is_ending and time.monotonic() < ends_at:
            text, is_last = await run_in_threadpool(read)
            if text != shown:
                yield _to_event(text)
                shown = text
            if is_last:
                yield "event: end\ndata: end\n\n"
                return
            await asyncio.sleep(POLL_S)
    finally:
        console.streams.give_back()


def _to_event(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines() if line.strip()) + "\n"
