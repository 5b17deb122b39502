"""A request → its parts, each judged on its own: options, scripts, targets and excludes. The first step of planning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from cascan.errors import RequestRefused
from cascan.limits import MAX_REASONS
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.nmap.options.arguments import Arguments, CheckedArguments, Profile, parse_arguments
from cascan.nmap.options.decoys import decoy_addresses
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.options.source_route import parse_source_route
from cascan.nmap.targets.own_ports import OwnPorts, parse_target_with_ports
from cascan.nmap.targets.target_set import Exclusion, Target
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.lane import choose_profile
from cascan.planning.own_ports import find_emptied_targets, find_port_conflicts


class JudgedTarget(msgspec.Struct, frozen=True):
    """A target expression of the request."""

    expression: str
    target: Target | None  # None: the expression cannot be parsed
    ports: OwnPorts | None = None  # None: it has none of its own
    refusals: tuple[Refusal, ...] = ()  # why it cannot be parsed, or may not be scanned


class CheckedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a request and the verdict on each. It may be planned where `refusals` is empty."""

    request: ScanRequest
    profile: Profile
    parsed: Arguments
    arguments: CheckedArguments
    exclude: tuple[str, ...]  # as written
    exclusion: Exclusion
    judged_targets: tuple[JudgedTarget, ...]
    refusals: tuple[Refusal, ...]  # at most MAX_REASONS, and one that counts the others

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(judged.target for judged in self.judged_targets if judged.target is not None)

    @property
    def has_own_ports(self) -> bool:
        return any(judged.ports is not None for judged in self.judged_targets)


def check_request(request: ScanRequest, permissions: Permissions) -> CheckedRequest:
    """Judge each part once. Never raises: the refusals of all parts are collected."""
    parsed = parse_arguments(request.parameters)
    profile = choose_profile(request, parsed)
    refusals: list[Refusal] = []
    if profile == "raw" and not permissions.raw_scans:
        refusals.append(_refuse_raw_scan(parsed))
    arguments, argument_refusals = _check_arguments(request, parsed, profile, permissions)
    refusals += argument_refusals
    exclude = (*request.exclude, *parsed.exclude)
    exclusion, exclude_refusals = _parse_exclusion(exclude, parsed.family)
    refusals += exclude_refusals
    expressions = dict.fromkeys((*request.targets, *parsed.targets))
    targets = tuple(_judge_target(expression, parsed.family, permissions.scope) for expression in expressions)
    refusals += _collect_target_refusals(targets)
    own_ports = [(judged.expression, judged.ports) for judged in targets if judged.target is not None]
    refusals += find_port_conflicts(parsed, own_ports)
    refusals += find_emptied_targets(arguments.options, own_ports)
    refusals += _refuse_packet_addresses(parsed.options, permissions.scope)
    return CheckedRequest(
        request=request,
        profile=profile,
        parsed=parsed,
        arguments=arguments,
        exclude=exclude,
        exclusion=exclusion,
        judged_targets=targets,
        refusals=_limit_refusals(refusals),
    )


def _check_arguments(
    request: ScanRequest, parsed: Arguments, profile: Profile, permissions: Permissions
) -> tuple[CheckedArguments, tuple[Refusal, ...]]:
    """The arguments under the request's policy profile. One that is too wide is refused alone, without their refusals:
    they are judged under the operator's profile then.
    """
    try:
        policy = permissions.narrow_policy(request.policy_profile)
    except RequestRefused as refused:
        return parsed.judge(profile, permissions.policy), refused.refusals
    arguments = parsed.judge(profile, policy)
    return arguments, arguments.refusals


def _parse_exclusion(exclude: Sequence[str], family: int) -> tuple[Exclusion, tuple[Refusal, ...]]:
    try:
        return Exclusion.parse(exclude, family), ()
    except RequestRefused as refused:
        return Exclusion(family), refused.refusals


def _judge_target(expression: str, family: int, scope: Scope) -> JudgedTarget:
    try:
        target, ports = parse_target_with_ports(expression, family)
    except RequestRefused as refused:
        return JudgedTarget(expression, None, None, refused.refusals)
    reason = scope.find_refusal(target)
    return JudgedTarget(expression, target, ports, (Refusal(expression, Rule.SCOPE, reason),) if reason else ())


def _collect_target_refusals(targets: Iterable[JudgedTarget]) -> list[Refusal]:
    """Refusals of expressions that cannot be parsed; where there are none, those of the scope."""
    targets = tuple(targets)
    if not targets:
        reason = "no target: give `targets`, or a target among `parameters`"
        return [Refusal("targets", Rule.FIELD, reason)]
    unparsed = [refusal for judged in targets if judged.target is None for refusal in judged.refusals]
    return unparsed or [refusal for judged in targets for refusal in judged.refusals]


def _refuse_packet_addresses(options: Iterable[GivenOption], scope: Scope) -> Iterator[Refusal]:
    """Refusals of addresses that options put into packets.

    A hop of a source route receives the packets, so it has to be allowed. A decoy is only answered to, so it just must
    not be denied.
    """
    for given in options:
        value = given.value or ""
        reasons: list[str] = []
        if given.option.canonical == "-D":
            reasons = [scope.find_address_denial(address) for address in decoy_addresses(value)]
        elif given.option.canonical == "--ip-options":
            reasons = [scope.find_address_refusal(hop) or "" for hop in _parse_hops(value)]
        for reason in filter(None, reasons):
            yield Refusal(given.label, Rule.SCOPE, f"{given.label}: {reason}")


def _parse_hops(value: str) -> tuple[str, ...]:
    try:
        return parse_source_route(value)
    except ValueError:  # refused with the other values of options
        return ()


def _refuse_raw_scan(parsed: Arguments) -> Refusal:
    cause = ", ".join(parsed.raw_only) or "scanType"
    reason = f"{cause}: raw sockets are not available here, because the operator disabled RawScans"
    return Refusal(cause, Rule.OPTION, reason)


def _limit_refusals(refusals: Sequence[Refusal]) -> tuple[Refusal, ...]:
    surplus = len(refusals) - MAX_REASONS
    if surplus <= 0:
        return tuple(refusals)
    return (*refusals[:MAX_REASONS], Refusal("", Rule.LIMIT, f"and {surplus} more reasons"))
