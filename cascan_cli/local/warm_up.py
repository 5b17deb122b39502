"""Start the functions of the later stages while the first one works: their cold starts would stand in a row.

Each is handed an empty batch through the public Lambda API, which it answers as soon as it is wired.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import Any

from cascan_cli.local.endpoint import Endpoint

STAGES = ("OnReportStored", "OnScanCompleted")  # the first two have their messages by then, and start for those
FUNCTIONS = "/2015-03-31/functions/"
EMPTY_BATCH = json.dumps({"Records": []})


def warm_up(endpoint: Endpoint) -> None:
    """Returns at once. What fails here costs time later, and nothing else."""
    threading.Thread(target=_warm_up, args=(endpoint,), name="warm-up", daemon=True).start()


def _warm_up(endpoint: Endpoint) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
        functions = _functions(endpoint)
        for stage in STAGES:
            for name in (function["FunctionName"] for function in functions):
                if f"-{stage}-" in name:
                    endpoint.request("POST", f"{FUNCTIONS}{name}/invocations", EMPTY_BATCH)


def invoke(endpoint: Endpoint, stage: str) -> None:
    """Call a function once, with an empty event, and wait for it. What fails is the next tick's."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
        for function in _functions(endpoint):
            if f"-{stage}-" in function["FunctionName"]:
                endpoint.request("POST", f"{FUNCTIONS}{function['FunctionName']}/invocations", "{}")


def _functions(endpoint: Endpoint) -> list[dict[str, Any]]:
    _, answer = endpoint.request("GET", FUNCTIONS)
    functions: list[dict[str, Any]] = json.loads(answer)["Functions"]
    return functions
