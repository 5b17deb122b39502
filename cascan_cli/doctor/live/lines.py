"""The lines of a live check: each passed, failed, or was not tried, with a sentence that says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from cascan.errors import GatewayUnavailable
from cascan_cli.doctor.check import DENIED, MAX_ERROR_CHARS
from cascan_cli.errors import CliError


class Verdict(StrEnum):
    PASSED = "pass"
    FAILED = "fail"
    NOT_TRIED = "not tried"


class Line(NamedTuple):
    """What was found out about one thing that only a live stack can show."""

    name: str
    verdict: Verdict
    sentence: str


Finding = tuple[Verdict, str]


def passed(sentence: str) -> Finding:
    return Verdict.PASSED, sentence


def failed(sentence: str) -> Finding:
    return Verdict.FAILED, sentence


def not_tried(sentence: str) -> Finding:
    return Verdict.NOT_TRIED, sentence


def check_line(name: str, check: Callable[[], Finding]) -> Line:
    """The line of a check. An error is a failure, a missing permission something that was not tried."""
    try:
        verdict, sentence = check()
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") in DENIED:
            return Line(name, Verdict.NOT_TRIED, f"your identity may not call {exc.operation_name}")
        verdict, sentence = failed(str(exc)[:MAX_ERROR_CHARS])
    except (BotoCoreError, CliError, GatewayUnavailable) as exc:
        verdict, sentence = failed(str(exc)[:MAX_ERROR_CHARS])
    return Line(name, verdict, sentence)


def skip_lines(names: Iterable[str], reason: str) -> list[Line]:
    return [Line(name, Verdict.NOT_TRIED, reason) for name in names]
