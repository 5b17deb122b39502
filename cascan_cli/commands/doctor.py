"""`cascan doctor`: check a stack and what it needs. It starts no stack and changes none."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cascan.clock import utc_now
from cascan_cli.doctor.aws_checks import DeployedStack, aws_checks, check_credentials
from cascan_cli.doctor.check import EXIT_CODES, Check, Result, Status, run_checks, worst
from cascan_cli.doctor.live.lines import Verdict
from cascan_cli.doctor.machine_checks import machine_checks
from cascan_cli.doctor.retention import check_retention
from cascan_cli.doctor.stack_checks import stack_checks
from cascan_cli.errors import BadInput, CliError
from cascan_cli.local.attach import find_running_stack
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.state import StateDir
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.open import StackGateways, describe_stack, open_stack

if TYPE_CHECKING:
    from cascan_cli.doctor.aws_checks import OpenClient
    from cascan_cli.doctor.live.lines import Line

MAX_LIVE_MINUTES = 240
LIVE_WORDS = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.NOT_TRIED: "not tried"}
COLUMNS = ("STATUS", "CHECK", "MESSAGE", "REMEDY")


def run(args: Namespace) -> int:
    """Exit code 0: all is well; 1: there are warnings; 3: there are problems.

    Of a live check 0: nothing failed; 1: something did. Raises: BadInput: the target may not be
    scanned, or the user did not confirm.
    """
    if args.live and (args.form or args.output):
        raise BadInput("--live prints each line at once: leave out --as and -o")
    if args.live:
        return _run_live(args)
    if args.quick or args.yes:
        raise BadInput("--quick and --yes belong to --live TARGET")
    results = list(_examine_deployed(args.stack, open_client) if args.stack else _examine_local(args))
    listing = Listing(
        title=f"checks of {f'stack {args.stack}' if args.stack else 'the stack on this machine'}",
        unit="result",
        items=results,
        columns=COLUMNS,
        to_row=_to_row,
        to_json=_to_json,
    )
    print_listing(listing, args)
    statuses = [result.status for _, result in results]
    problems, warnings = statuses.count(Status.PROBLEM), statuses.count(Status.WARNING)
    print_message(f"{pluralize(problems, 'problem')}, {pluralize(warnings, 'warning')}, {statuses.count(Status.OK)} ok")
    return EXIT_CODES[worst(statuses)]


def _to_row(named: tuple[str, Result]) -> tuple[object, ...]:
    name, result = named
    return result.status, name, result.sentence, result.remedy


def _to_json(named: tuple[str, Result]) -> dict[str, Any]:
    name, result = named
    return {"check": name, "status": result.status, "message": result.sentence, "remedy": result.remedy}


def _run_live(args: Namespace) -> int:
    from cascan_cli.doctor.live.run import LiveCheck, confirm_live, plan_live
    from cascan_cli.doctor.live.scans import LiveRun
    from cascan_cli.input.raw_sockets import require_raw_sockets

    if not 1 <= args.minutes <= MAX_LIVE_MINUTES:
        raise BadInput(f"--minutes {args.minutes}: must be from 1 to {MAX_LIVE_MINUTES}")
    plan = plan_live(args)
    require_raw_sockets(plan.requests.syn.to_json(), args)
    confirm_live(plan, args)
    lines = []
    with open_stack(args) as stack:
        run = LiveRun(stack, deadline=time.monotonic() + 60 * args.minutes)
        for line in LiveCheck(stack, plan, run, open_client if args.stack else None).check():
            lines.append(line)
            if not args.json:
                _print_line(line)
    if args.json:
        print_json([{"check": line.name, "verdict": line.verdict, "message": line.sentence} for line in lines])
    counts = [f"{sum(line.verdict is verdict for line in lines)} {word}" for verdict, word in LIVE_WORDS.items()]
    print_message(", ".join(counts))
    return 1 if any(line.verdict is Verdict.FAILED for line in lines) else 0


def _print_line(line: Line) -> None:
    """At once, since the next one may take half an hour."""
    sentence = printable(line.sentence)
    if sys.stdout.isatty():
        print(f"{line.verdict:9}  {line.name:21}  {sentence}", flush=True)
    else:
        print(line.verdict, line.name, sentence, sep="\t", flush=True)


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
