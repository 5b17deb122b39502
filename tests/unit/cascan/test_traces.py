"""The segments of a scan's trace: one id, and each segment below the one that led to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from cascan.limits import MAX_TRACED_SHARDS
from cascan.traces import build_segment, derive_trace_id
from tests.support.builders import SCAN_ID

TRACE_ID = "1-6b0cdb5f-9a5062fd62e222493665ce2e"
SHARD: dict[str, str | int] = {"scan_id": SCAN_ID, "trace_id": TRACE_ID, "shard": 3, "attempt": 2, "message_id": "m"}
CHILD = "abcdefghijklmnop"


def segment(service: str, **context: Any) -> dict[str, Any]:
    built = build_segment(service, SHARD | context, started_at=1.5, ended_at=2.5, failed=False)
    assert built is not None
    return built


def test_a_trace_id_has_the_form_that_xray_requires_and_the_time_of_the_request() -> None:
    requested_at = datetime(2026, 11, 30, tzinfo=UTC)
    trace_id = derive_trace_id(SCAN_ID, requested_at)

    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", trace_id)
    assert int(trace_id.split("-")[1], 16) == requested_at.timestamp()
    assert trace_id != derive_trace_id(CHILD, requested_at)


def test_each_step_hangs_below_the_one_that_led_to_it_down_to_the_scans_of_a_cascade() -> None:
    planned, run, recorded = (segment(name) for name in ("on_scan_requested", "worker", "on_report_stored"))
    completed = segment("on_scan_completed")
    child = segment("on_scan_requested", scan_id=CHILD, parent_scan=SCAN_ID)

    assert "parent_id" not in planned
    assert run["parent_id"] == completed["parent_id"] == planned["id"]
    assert recorded["parent_id"] == run["id"]
    assert child["parent_id"] == completed["id"]
    assert {each["trace_id"] for each in (planned, run, recorded, completed, child)} == {TRACE_ID}


def test_a_repeat_has_the_same_segment_and_another_attempt_has_its_own() -> None:
    assert segment("worker") == segment("worker")
    assert segment("worker")["id"] != segment("worker", attempt=3)["id"] != segment("worker", shard=4)["id"]


def test_an_express_shard_is_the_same_step_as_one_on_a_worker() -> None:
    assert segment("on_shard_queued")["id"] == segment("worker")["id"]


def test_annotations_name_the_scan_and_the_shard() -> None:
    assert segment("worker")["annotations"] == {"scan_id": SCAN_ID, "shard": 3, "attempt": 2, "message_id": "m"}


@pytest.mark.parametrize(
    "context",
    [
        {"trace_id": TRACE_ID},
        {"scan_id": SCAN_ID},
        SHARD | {"shard": MAX_TRACED_SHARDS},
    ],
    ids=["no scan", "a scan of an earlier version", "a shard beyond the limit"],
)
def test_there_is_no_segment(context: dict[str, Any]) -> None:
    assert build_segment("worker", context, started_at=1, ended_at=2, failed=False) is None
