"""What happens every minute, without waiting for the minute."""

from __future__ import annotations

import json
from typing import Any

from cli.local.aws import client_options, open_session


def tick(endpoint_url: str) -> Any:
    """What on_minute_passed did, of the one stack on this emulator."""
    functions = open_session().client("lambda", **client_options(endpoint_url))
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    (name,) = [name for name in names if "OnMinutePassed" in name]
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    kept = json.loads(answer["Payload"].read())
    functions.close()
    assert "FunctionError" not in answer, kept
    return kept
