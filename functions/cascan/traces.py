"""The trace of a root scan: one segment for each message that its scans and their cascades cause.

A scan's trace id is stored with it and travels with its shards' messages; log lines carry it. It
has the form of AWS X-Ray, where the segments of one id are shown together. The ids of segments are
derived: a repeat replaces its segment, and each step knows the id of the step that led to it.

The header that botocore and Lambda pass on (X-Amzn-Trace-Id) is not touched: AWS detects recursive
loops by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from cascan.limits import MAX_TRACED_SHARDS

Context = Mapping[str, str | int]  # of log lines: scan_id, trace_id; of a shard shard and attempt


class Step(StrEnum):
    """What a segment stands for."""

    PLANNED = "planned"
    RUN = "run"  # one attempt at a shard
    RECORDED = "recorded"  # the report of one attempt
    COMPLETED = "completed"
    OTHER = "other"


STEPS = {
    "on_scan_requested": Step.PLANNED,
    "on_shard_queued": Step.RUN,
    "worker": Step.RUN,
    "on_report_stored": Step.RECORDED,
    "on_scan_completed": Step.COMPLETED,
}


def derive_trace_id(scan_id: str, requested_at: datetime) -> str:
    """`1-<seconds, 8 hex digits>-<24 hex digits>`, as X-Ray requires it."""
    return f"1-{int(requested_at.timestamp()):08x}-{sha256(f'trace:{scan_id}'.encode()).hexdigest()[:24]}"


def build_segment(
    service: str, context: Context, *, started_at: float, ended_at: float, failed: bool
) -> dict[str, Any] | None:
    """X-Ray's document of what `service` did for a message. Times are epoch seconds.

    None: the message is not about a scan with a trace, or about a shard whose number is so high
    that the trace would get too large.
    """
    scan_id, trace_id = str(context.get("scan_id", "")), str(context.get("trace_id", ""))
    if not scan_id or not trace_id or int(context.get("shard", 0)) >= MAX_TRACED_SHARDS:
        return None
    step = STEPS.get(service, Step.OTHER)
    segment = {
        "name": service,
        "id": _derive_id(step, scan_id, context),
        "trace_id": trace_id,
        "start_time": started_at,
        "end_time": ended_at,
        "fault": failed,
        "annotations": {name: value for name, value in context.items() if name != "trace_id"},
    }
    parent_id = _derive_parent_id(step, scan_id, context)
    return segment | {"parent_id": parent_id} if parent_id else segment


def _derive_id(step: Step, scan_id: str, context: Context) -> str:
    """16 hex digits; for Step.OTHER different for each message."""
    parts: tuple[str | int, ...]
    if step in (Step.RUN, Step.RECORDED):
        parts = (step, scan_id, context.get("shard", 0), context.get("attempt", 0))
    elif step is Step.OTHER:
        parts = (step, scan_id, context.get("message_id", ""), 0)
    else:
        parts = (step, scan_id, 0, 0)
    return sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]


def _derive_parent_id(step: Step, scan_id: str, context: Context) -> str:
    """The id of the segment that led to this one; empty for the root scan's first."""
    if step is Step.RECORDED:
        return _derive_id(Step.RUN, scan_id, context)
    if step is not Step.PLANNED:
        return _derive_id(Step.PLANNED, scan_id, context)
    parent_scan = str(context.get("parent_scan", ""))
    return _derive_id(Step.COMPLETED, parent_scan, context) if parent_scan else ""
