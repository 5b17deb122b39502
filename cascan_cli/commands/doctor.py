"""`cascan doctor`: check a stack and what it needs. It starts no stack and changes none."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cascan.clock import utc_now
from cascan_cli.doctor.aws_checks import DeployedStack, aws_checks, check_credentials
from cascan_cli.doctor.check import EXIT_CODES, Check, Result, Status, run_checks, worst
from cascan_cli.doctor.machine_checks import machine_checks
from cascan_cli.doctor.retention import check_retention
from cascan_cli.doctor.stack_checks import stack_checks
from cascan_cli.errors import CliError
from cascan_cli.local.attach import find_running_stack
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.state import StateDir
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.stack.open import StackGateways, describe_stack

if TYPE_CHECKING:
    from cascan_cli.doctor.aws_checks import OpenClient

COLUMNS = ("STATUS", "CHECK", "MESSAGE", "REMEDY")


def run(args: Namespace) -> int:
    """Exit code 0: all is well; 1: there are warnings; 3: there are problems."""
    results = list(_examine_deployed(args.stack, open_client) if args.stack else _examine_local(args))
    if args.json:
        print_json(
            [
                {"check": name, "status": result.status, "message": result.sentence, "remedy": result.remedy}
                for name, result in results
            ]
        )
    else:
        rows = ((result.status, name, result.sentence, result.remedy) for name, result in results)
        print_table(COLUMNS, rows)
    statuses = [result.status for _, result in results]
    problems, warnings = statuses.count(Status.PROBLEM), statuses.count(Status.WARNING)
    print_message(f"{pluralize(problems, 'problem')}, {pluralize(warnings, 'warning')}, {statuses.count(Status.OK)} ok")
    return EXIT_CODES[worst(statuses)]


def open_client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    session: Any = boto3.Session()
    return session.client(service, config=Config(connect_timeout=5, retries={"total_max_attempts": 2}))


def _examine_deployed(name: str, open_client: OpenClient) -> Iterator[tuple[str, Result]]:
    yield from run_checks(
        [Check("credentials", lambda: check_credentials(open_client("sts")), "sts:GetCallerIdentity")]
    )
    try:
        stack = _read_stack(name)
    except CliError as exc:
        remedy = "mend the credentials or the name, and allow cloudformation:DescribeStacks to your identity"
        yield "stack", Result.problem(str(exc), remedy)
        return
    now = utc_now()
    yield from run_checks(aws_checks(stack, open_client, now))
    gateways = StackGateways(stack.outputs, stays_up=True)
    yield from run_checks(stack_checks(gateways, now, f" --stack {name}"))


def _read_stack(name: str) -> DeployedStack:
    """Raises: CliError: it cannot be read."""
    description = describe_stack(name)
    parameters = {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in description.get("Parameters", [])}
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in description.get("Outputs", [])}
    return DeployedStack(name, description["StackStatus"], parameters, outputs)


def _examine_local(args: Namespace) -> Iterator[tuple[str, Result]]:
    try:
        state = StateDir(args.state_dir)
    except CliError as exc:
        yield "state directory", Result.problem(str(exc), "use another one with --state-dir")
        return
    yield from run_checks(machine_checks(state))
    try:
        deployment = state.deployment() if find_running_stack(state) else None
    except CliError:  # a check of the machine has found it already
        return
    if deployment:
        parameters = deployment.parameters
        yield from run_checks([Check("retention", lambda: check_retention(parameters))])
        use_endpoint(state.endpoint())
        gateways = StackGateways(deployment.outputs, stays_up=True, is_local=True)
        yield from run_checks(stack_checks(gateways, utc_now(), ""))
