"""Send segments of traces to X-Ray where no daemon does, as in a task on Fargate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.config import Config

from cascan.aws import clients
from cascan.aws.boundary import translate_errors

GATEWAY = "traces"
TIMEOUT_S = 2  # traces may be lost: a service that does not answer must not delay the work


def put_segment(segment: Mapping[str, Any]) -> None:
    """Raises: GatewayUnavailable: X-Ray does not answer, or refuses the segment."""
    with translate_errors(GATEWAY):
        _xray().put_trace_segments(TraceSegmentDocuments=[json.dumps(segment)])


@cache
def _xray() -> Any:
    config = Config(
        connect_timeout=TIMEOUT_S,
        read_timeout=TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    return clients.session().client("xray", config=config)
