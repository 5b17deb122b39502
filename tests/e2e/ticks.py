"""What happens every minute, without waiting for the minute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cascan_cli.local.aws import client_options, open_session
from cascan_cli.local.endpoint import Endpoint

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def tick(endpoint: Endpoint) -> Any:
    """What on_minute_passed did, of the one stack on this emulator."""
    with _function(endpoint) as (functions, name):
        answer = functions.invoke(FunctionName=name, Payload=b"{}")
        kept = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, kept
        return kept


@contextmanager
def another_scanner(endpoint: Endpoint) -> Iterator[None]:
    """What the tick would be told by a deployment with another nmap; as before, when the block ends."""
    with _function(endpoint) as (functions, name):
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": before | {"SCAN_TYPE_NMAP": "another"}}
        )
        yield
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@contextmanager
def _function(endpoint: Endpoint) -> Iterator[tuple[LambdaClient, str]]:
    functions = open_session(endpoint).client("lambda", **client_options(endpoint))
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    (name,) = [name for name in names if "OnMinutePassed" in name]
    yield functions, name
    functions.close()
