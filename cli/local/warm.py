"""Start the functions of the later stages while the first one works: their cold starts would stand in a row.

Each is handed an empty batch through the public Lambda API, which it answers as soon as it is wired.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading

from cli.local.state import HOST

STAGES = ("OnReportStored", "OnScanCompleted")  # the first two have their messages by then, and start for those
FUNCTIONS = "/2015-03-31/functions/"
EMPTY_BATCH = json.dumps({"Records": []})
TIMEOUT_S = 30


def warm_up(port: int) -> None:
    """Returns at once. What fails here costs time later, and nothing else."""
    threading.Thread(target=_warm_up, args=(port,), name="warm-up", daemon=True).start()


def _warm_up(port: int) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
        functions = json.loads(_ask(port, "GET", FUNCTIONS))["Functions"]
        for stage in STAGES:
            for name in (function["FunctionName"] for function in functions):
                if f"-{stage}-" in name:
                    _ask(port, "POST", f"{FUNCTIONS}{name}/invocations", EMPTY_BATCH)


def invoke(port: int, stage: str) -> None:
    """Call a function once, with an empty event, and wait for it. What fails is the next tick's."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
        for function in json.loads(_ask(port, "GET", FUNCTIONS))["Functions"]:
            if f"-{stage}-" in function["FunctionName"]:
                _ask(port, "POST", f"{FUNCTIONS}{function['FunctionName']}/invocations", "{}")


def _ask(port: int, method: str, path: str, body: str | None = None) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body)
        return connection.getresponse().read()
    finally:
        connection.close()
