"""Explain a request without sending it: whether a stack would accept it, and how it would run."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from msgspec.structs import replace

from cascan.clock import to_wire, utc_now
from cascan.cost.budget import require_budget
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.model.request import ScanRequest
from cascan.model.shard import Lane
from cascan.planning.explain import Explanation, explain
from cascan.planning.plan import Plan
from cascan.timing.windows import Window, find_opening
from cascan_cli.input.raw_sockets import explain_missing_raw_sockets
from cascan_cli.stack.permissions import read_cost_limit, read_permissions, read_scan_defaults


def explain_request(body: str, args: Namespace, *, is_issued: bool = False) -> Explanation:
    try:
        read = read_request(body, is_issued=is_issued)
    except RequestRefused as refused:
        return Explanation(accepted=False, refusals=refused.refusals)
    limit = read_cost_limit(args)

    def check_budget(request: ScanRequest, planned: Plan) -> None:
        require_budget(request, [planned], limit)

    explained = explain(read.request, read_permissions(args), read_scan_defaults(args), check_budget)
    notes = [*read.notes, *explained.notes, describe_windows(read.request.windows)]
    if explained.lane == Lane.RAW:
        notes.append(explain_missing_raw_sockets(args))
    return replace(explained, notes=tuple(filter(None, notes)))


def describe_windows(windows: Sequence[str]) -> str:
    """When a scan with these windows may run; empty: at any time."""
    opening = find_opening([Window.parse(text) for text in windows], utc_now())
    if opening is None:  # there are no windows
        return ""
    if opening.is_open:
        return f"one of its windows is open until {to_wire(opening.until)}"
    return f"its windows are closed: the scan would wait until {to_wire(opening.until)}"
