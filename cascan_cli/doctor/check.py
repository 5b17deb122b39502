"""A check and its results. A check that fails is a result too, and stops no other check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from cascan.errors import GatewayUnavailable
from cascan_cli.errors import CliError

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
MAX_ERROR_CHARS = 500  # of an error that a result quotes


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


EXIT_CODES = {Status.OK: 0, Status.WARNING: 1, Status.PROBLEM: 3}


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found: one sentence, and the command or action that mends it."""

    status: Status
    sentence: str
    remedy: str = ""

    @classmethod
    def ok(cls, sentence: str) -> Result:
        return cls(Status.OK, sentence)

    @classmethod
    def warning(cls, sentence: str, remedy: str) -> Result:
        return cls(Status.WARNING, sentence, remedy)

    @classmethod
    def problem(cls, sentence: str, remedy: str) -> Result:
        return cls(Status.PROBLEM, sentence, remedy)


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name. `actions`: the IAM actions that it needs."""

    name: str
    run: Callable[[], Iterable[Result]]
    actions: str = ""


def run_checks(checks: Iterable[Check]) -> Iterator[tuple[str, Result]]:
    """The results of all checks, each with the name of its check."""
    for check in checks:
        try:
            for result in check.run():
                yield check.name, result
        except Exception as exc:  # noqa: BLE001 - whatever goes wrong in one check is a result of it
            yield check.name, _explain_failure(check, exc)


def _explain_failure(check: Check, exc: Exception) -> Result:
    cause = exc.__cause__ if isinstance(exc, GatewayUnavailable) and exc.__cause__ else exc
    if isinstance(cause, ClientError) and cause.response.get("Error", {}).get("Code") in DENIED:
        missing = check.actions or cause.operation_name
        return Result.warning(f"not checked: your identity may not call {missing}", f"allow {missing} to it")
    is_sentence = isinstance(exc, (CliError, GatewayUnavailable, ClientError, BotoCoreError))
    kind = "" if is_sentence else f"{type(exc).__name__}: "
    sentence = f"the check failed: {kind}{exc}"[:MAX_ERROR_CHARS]
    return Result.problem(sentence, "mend the error that is quoted, then run cascan doctor again")


def worst(statuses: Iterable[Status]) -> Status:
    """The most serious status; OK if there is none."""
    return max(statuses, key=lambda status: EXIT_CODES[status], default=Status.OK)
