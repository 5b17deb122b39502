"""A request → an explanation of how it would be planned, or why it is refused.

For `cascan check`, without a scan.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from cascan.errors import RequestRefused
from cascan.model.refusal import Refusal
from cascan.model.request import ScanRequest
from cascan.nmap.command import build_nmap_command
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.options.table import find_option
from cascan.nmap.scripts import ScriptVerdict
from cascan.nmap.targets.kinds import Name
from cascan.permissions.permissions import Permissions
from cascan.planning.check_request import CheckedRequest, JudgedTarget, check_request
from cascan.planning.plan import STANDARD, Plan, build_plan
from cascan.planning.rates import ScanDefaults

UNRESOLVED = "a worker checks each of its addresses when it resolves the name"
FOLDER = Path("PRIVATE_FOLDER")  # stands for the worker's own folder with targets and report


PlanCheck = Callable[[ScanRequest, Plan], None]  # raises RequestRefused


class OptionDecision(msgspec.Struct, frozen=True):
    """An option, as written, and the decision about it."""

    written: str
    option: str
    decision: str
    reason: str


class TargetVerdict(msgspec.Struct, frozen=True):
    """The verdict on one target."""

    target: str
    refusal: str  # empty: it is inside the scope, as far as is known
    note: str = ""  # what is not known yet


class PortSet(msgspec.Struct, frozen=True):
    """Hosts that are asked the same ports, as targets have ports of their own."""

    ports: str  # as the value of -p; empty: those that the options of the request choose
    addresses: int
    shards: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a request would be accepted, what would run, and the verdict on each part of it."""

    accepted: bool
    argv: tuple[str, ...] = ()  # of each shard, or of the first of several port sets; empty when refused
    addresses: int | None = None  # exact; None when refused
    shards: int = 0
    lane: str = ""
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    options: tuple[OptionDecision, ...] = ()
    scripts: tuple[ScriptVerdict, ...] = ()
    targets: tuple[TargetVerdict, ...] = ()
    port_sets: tuple[PortSet, ...] = ()  # empty: no target has ports of its own


def accept_plan(request: ScanRequest, plan: Plan) -> None:
    """The check of a stack without further limits: every plan is accepted."""


def explain(
    request: ScanRequest,
    permissions: Permissions,
    defaults: ScanDefaults = STANDARD,
    check_plan: PlanCheck = accept_plan,
) -> Explanation:
    """The plan of a request, or its refusals, with the verdict on each part. Never raises.

    `defaults` are the stack's: they decide on each shard's share of a rate. `check_plan` may refuse the plan, such as
    for what it would cost.
    """
    checked = check_request(request, permissions)
    try:
        plan = build_plan(checked, permissions, defaults)
        check_plan(request, plan)
    except RequestRefused as refused:
        return _describe(checked, Explanation(accepted=False, refusals=refused.refusals))
    return _describe(checked, _describe_plan(plan))


def _describe_plan(plan: Plan) -> Explanation:
    first_shard = next(plan.shards(""))
    return Explanation(
        accepted=True,
        argv=build_nmap_command(["nmap"], first_shard, FOLDER),
        addresses=plan.addresses,
        shards=len(plan.slices),
        lane=plan.lane.value,
        notes=plan.notes,
        port_sets=_list_port_sets(plan),
    )


def _list_port_sets(plan: Plan) -> tuple[PortSet, ...]:
    if not any(group.ports for group in plan.groups):
        return ()
    return tuple(PortSet(group.ports, group.addresses, group.shards) for group in plan.groups)


def _describe(checked: CheckedRequest, explanation: Explanation) -> Explanation:
    """The explanation with the verdict on each part of the request."""
    return msgspec.structs.replace(
        explanation,
        options=tuple(_describe_option(given) for given in checked.parsed.options),
        scripts=checked.arguments.scripts,
        targets=tuple(_describe_target(judged) for judged in checked.judged_targets),
    )


def _describe_option(given: GivenOption) -> OptionDecision:
    option = given.option
    row = find_option(option.canonical)
    name = row.documented if row else option.canonical
    return OptionDecision(given.label, name, option.decision.value, option.reason)


def _describe_target(judged: JudgedTarget) -> TargetVerdict:
    refusal = "; ".join(refusal.reason for refusal in judged.refusals)
    is_unresolved = isinstance(judged.target, Name) and not refusal
    return TargetVerdict(judged.expression, refusal, UNRESOLVED if is_unresolved else "")
