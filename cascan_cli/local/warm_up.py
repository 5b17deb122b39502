"""Start the functions of the later stages early, so that their cold starts overlap.

Each is invoked with an empty batch, for which it only wires itself.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import Any

from cascan_cli.local.endpoint import Endpoint

# The functions before them start with their first message anyway
STAGES = ("OnReportStored", "OnScanCompleted")
FUNCTIONS = "/2015-03-31/functions/"
EMPTY_BATCH = json.dumps({"Records": []})


def warm_up(endpoint: Endpoint) -> None:
    """Start them from a thread; returns at once. A failure here only costs time later."""
    threading.Thread(target=_warm_up, args=(endpoint,), name="warm-up", daemon=True).start()


def _warm_up(endpoint: Endpoint) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
        functions = _functions(endpoint)
        for stage in STAGES:
            for name in (function["FunctionName"] for function in functions):
                if f"-{stage}-" in name:
                    endpoint.request("POST", f"{FUNCTIONS}{name}/invocations", EMPTY_BATCH)


def invoke(endpoint: Endpoint, stage: str) -> None:
    """Invoke a function once, with an empty event, and wait for it.

    Failures are ignored: the next tick tries again.
    """
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
        for function in _functions(endpoint):
            if f"-{stage}-" in function["FunctionName"]:
                endpoint.request("POST", f"{FUNCTIONS}{function['FunctionName']}/invocations", "{}")


def _functions(endpoint: Endpoint) -> list[dict[str, Any]]:
    _, body = endpoint.request("GET", FUNCTIONS)
    functions: list[dict[str, Any]] = json.loads(body)["Functions"]
    return functions
