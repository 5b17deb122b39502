"""A request → what planning makes of it, accepted or not, with the reasons: for `cascan check`, which scans nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Refusal
from cascan.model.request import ScanRequest
from cascan.nmap.command import build_nmap_command
from cascan.nmap.options.arguments import Arguments, parse_arguments
from cascan.nmap.options.table import Option, find_option
from cascan.nmap.scripts import ScriptVerdict
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.syntax import parse_target
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import choose_profile, plan
from cascan.planning.rates import ScanDefaults, shards_at_once, split_rates

UNRESOLVED = "a worker checks its addresses when it is resolved, each of them"
STANDARD = ScanDefaults()
FOLDER = Path("PRIVATE_FOLDER")  # stands for the worker's own, where targets and report lie


class OptionDecision(msgspec.Struct, frozen=True):
    """An option as it was written, and what is decided about it."""

    written: str
    option: str
    decision: str
    reason: str


class TargetVerdict(msgspec.Struct, frozen=True):
    """A target, and why it is refused; empty: it is inside the scope, as far as is known."""

    target: str
    refusal: str
    note: str = ""  # what is not known


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    accepted: bool
    argv: tuple[str, ...] = ()  # of each shard; empty when refused
    addresses: int | None = None  # exact; None when refused
    shards: int = 0
    lane: str = ""
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    options: tuple[OptionDecision, ...] = ()
    scripts: tuple[ScriptVerdict, ...] = ()
    targets: tuple[TargetVerdict, ...] = ()


def explain(request: ScanRequest, permit: Permissions, rules: ScanDefaults = STANDARD) -> Explanation:
    """As `plan`, but never raises: what is refused is told. `rules`: the stack's, for each shard's share of a rate."""
    given = parse_arguments(request.parameters)
    options, targets = _options(given), _targets(request, given, permit.scope)
    scripts = _scripts(request, given, permit.policy)
    try:
        planned = plan(request, permit)
    except RequestRefused as refused:
        return Explanation(accepted=False, refusals=refused.refusals, options=options, scripts=scripts, targets=targets)
    side_by_side = shards_at_once(planned.arguments, len(planned.slices), rules.parallel(request))
    arguments, rates = split_rates(planned.arguments, side_by_side)
    return Explanation(
        accepted=True,
        argv=build_nmap_command(["nmap"], next(replace(planned, arguments=arguments).shards("")), FOLDER),
        addresses=planned.addresses,
        shards=len(planned.slices),
        lane=planned.lane.value,
        notes=(*planned.notes, *filter(None, [rates])),
        options=options,
        scripts=scripts,
        targets=targets,
    )


def _options(given: Arguments) -> tuple[OptionDecision, ...]:
    return tuple(
        OptionDecision(one.label, _documented(one.option), one.option.decision.value, one.option.reason)
        for one in given.options
    )


def _documented(option: Option) -> str:
    row = find_option(option.canonical)
    return row.documented if row else option.canonical


def _scripts(request: ScanRequest, given: Arguments, policy: PolicyProfile) -> tuple[ScriptVerdict, ...]:
    asked = request.policy_profile
    return given.script_verdicts(choose_profile(request, given), asked if asked and policy.allows(asked) else policy)


def _targets(request: ScanRequest, given: Arguments, scope: Scope) -> tuple[TargetVerdict, ...]:
    expressions = dict.fromkeys((*request.targets, *given.targets))
    return tuple(_judged(expression, given.family, scope) for expression in expressions)


def _judged(expression: str, family: int, scope: Scope) -> TargetVerdict:
    try:
        target = parse_target(expression, family)
    except RequestRefused as refused:
        return TargetVerdict(expression, str(refused))
    refusal = scope.find_refusal(target) or ""
    return TargetVerdict(expression, refusal, UNRESOLVED if isinstance(target, Name) and not refusal else "")
