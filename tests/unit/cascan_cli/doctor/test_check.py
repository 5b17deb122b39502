"""A check that fails is a result, and stops no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from cascan.errors import GatewayUnavailable
from cascan_cli.doctor.check import Check, Result, Status, run_checks, worst
from cascan_cli.errors import BadInput

DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeImages")


def failing(error: Exception) -> Check:
    def run() -> Iterator[Result]:
        yield Result.ok("so far")
        raise error

    return Check("broken", run, "ecr:DescribeImages")


def unavailable() -> GatewayUnavailable:
    error = GatewayUnavailable("queue: no")
    error.__cause__ = DENIED
    return error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ZeroDivisionError("by zero"), "the check failed: ZeroDivisionError: by zero"),
        (BadInput("the stack has no output"), "the check failed: the stack has no output"),
        (NoCredentialsError(), "the check failed: Unable to locate credentials"),
        (KeyError("WorkerRepositoryUri"), "the check failed: KeyError: 'WorkerRepositoryUri'"),
    ],
)
def test_a_check_that_fails_is_a_problem_with_its_error_and_the_next_one_runs(error: Exception, sentence: str) -> None:
    results = list(run_checks([failing(error), Check("next", lambda: [Result.ok("fine")])]))

    assert [(name, result.status, result.sentence) for name, result in results] == [
        ("broken", Status.OK, "so far"),
        ("broken", Status.PROBLEM, sentence),
        ("next", Status.OK, "fine"),
    ]


@pytest.mark.parametrize("error", [DENIED, unavailable()])
def test_a_missing_permission_is_a_warning_that_names_the_action(error: Exception) -> None:
    *_, (_, result) = run_checks([failing(error)])

    assert result == Result.warning(
        "not checked: your identity may not call ecr:DescribeImages", "allow ecr:DescribeImages to it"
    )


def test_the_quoted_error_is_bounded() -> None:
    *_, (_, result) = run_checks([failing(ValueError("x" * 10_000))])

    assert len(result.sentence) <= 500


def test_the_most_serious_status_counts() -> None:
    assert worst([]) is Status.OK
    assert worst([Status.OK, Status.WARNING]) is Status.WARNING
    assert worst([Status.PROBLEM, Status.WARNING, Status.OK]) is Status.PROBLEM
