"""A request → what will be run: canonical arguments, targets inside the scope, shards and their lane."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address

import msgspec

from cascan.errors import RequestRefused
from cascan.limits import EXPRESS_MAX_PROBES, HOSTS_PER_SHARD, MAX_ADDRESSES_PER_SCAN, MAX_REASONS, MAX_SHARDS_PER_SCAN
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest, ScanType
from cascan.model.shard import Lane, Shard, ShardState, TargetSlice
from cascan.nmap.options.arguments import Arguments, CheckedArguments, Profile, parse_arguments
from cascan.nmap.options.host_timeout import lengthen_host_timeout
from cascan.nmap.ports.scanned_ports import count_ports
from cascan.nmap.special_addresses import is_public
from cascan.nmap.targets.kinds import IPV4, IPV6
from cascan.nmap.targets.one_shard_per_name import one_shard_per_name
from cascan.nmap.targets.target_set import (
    Exclusion,
    Name,
    Target,
    count_addresses,
    enumerate_slice,
    pack_shards,
    parse_targets,
    slice_targets,
)
from cascan.permissions.packet_addresses import check_packet_addresses
from cascan.permissions.permissions import Permissions
from cascan.permissions.policy import narrow_policy
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import WorkerReach

PROBING = frozenset({"-sV", "--script"})  # they talk to a port, not only knock: a few seconds each
PROBING_COST = 4
SLOW = frozenset({"-T0", "-T1", "--scan-delay", "--max-rate"})  # no telling how long: not for a Lambda

NO_LONGER_LIMIT = "retryTimedOut has no effect: hosts have no time limit (--host-timeout) that could be doubled"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a request comes down to."""

    scan_type: ScanType  # as asked, or chosen by what the options need
    lane: Lane
    arguments: tuple[str, ...]
    family: int
    exclude: tuple[str, ...]
    names: frozenset[str]  # expressions whose addresses the worker will know, with a mask or without
    slices: tuple[tuple[TargetSlice, ...], ...]  # one entry a shard
    addresses: int  # each once and without the excludes; one for each name
    probes: int  # addresses times ports, at most
    retry_timed_out: bool
    notes: tuple[str, ...]

    def shards(self, scan_id: str, *, backoff_limit: int = 3, state: ShardState = ShardState.QUEUED) -> Iterator[Shard]:
        """The slices are without the excludes: only a shard with names has them, for what these resolve to."""
        for number, slices in enumerate(self.slices):
            yield Shard(
                scan_id=scan_id,
                number=number,
                lane=self.lane,
                slices=slices,
                arguments=self.arguments,
                family=self.family,
                exclude=self.exclude if any(piece.expression in self.names for piece in slices) else (),
                addresses=sum(piece.stop - piece.start for piece in slices),
                backoff_limit=backoff_limit,
                retry_timed_out=self.retry_timed_out,
                state=state,
            )


def plan(request: ScanRequest, permit: Permissions) -> Plan:
    """Raises: RequestRefused: with every reason, at most MAX_REASONS of them."""
    given = parse_arguments(request.parameters)
    profile = choose_profile(request, given)
    found = _Refusals()
    if profile == "raw" and not permit.raw_scans:
        found.all.append(_raw_scans_disabled(given))
    with found.kept():
        arguments = given.check(profile, narrow_policy(permit.policy, request.policy_profile))
    exclude = (*request.exclude, *given.exclude)
    with found.kept():
        exclusion = Exclusion.parse(exclude, given.family)
    with found.kept():
        targets = _targets(dict.fromkeys((*request.targets, *given.targets)), given.family, permit.scope)
    found.all += check_packet_addresses(given.options, permit.scope)
    found.tell()
    left = tuple(slice_targets(targets, exclusion))
    addresses = _checked_count(left)
    # a very wide scan gets larger shards, so that their number stays bounded
    hosts = max(request.hosts_per_shard or HOSTS_PER_SHARD, -(-addresses // MAX_SHARDS_PER_SCAN))
    slices = tuple(pack_shards(left, hosts))
    lane = choose_lane(profile, arguments, addresses, len(slices))
    if lane is Lane.EXPRESS and not permit.express_reaches_private and _needs_a_network(left, arguments.family):
        lane = Lane.CONNECT
    slices, unsaid = one_shard_per_name(slices, arguments.options, targets)
    longer = bool(lengthen_host_timeout(arguments.options))
    pointless = NO_LONGER_LIMIT if request.retry_timed_out and not longer else ""
    unreached = _check_reach(targets, permit.reach) if permit.reach and lane is not Lane.EXPRESS else ""
    return Plan(
        scan_type=ScanType.NMAP_PRIVILEGED if profile == "raw" else ScanType.NMAP,
        lane=lane,
        arguments=arguments.options,
        family=arguments.family,
        exclude=exclude,
        names=frozenset(target.expression for target in targets if isinstance(target, Name)),
        slices=slices,
        addresses=addresses,
        probes=addresses * count_ports(arguments.options),
        retry_timed_out=request.retry_timed_out and longer,
        notes=(*arguments.notes, *filter(None, (unsaid, unreached, pointless))),
    )


def choose_profile(request: ScanRequest, given: Arguments) -> Profile:
    """What the request says; where it says nothing, raw if an option needs it."""
    if request.scan_type is None:
        return "raw" if given.raw_only else "connect"
    return "raw" if request.scan_type is ScanType.NMAP_PRIVILEGED else "connect"


class _Refusals:
    """What is wrong with the parts of a request, to be told together."""

    def __init__(self) -> None:
        self.all: list[Refusal] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        try:
            yield
        except RequestRefused as refused:
            self.all += refused.refusals

    def tell(self) -> None:
        """Raises: RequestRefused: there is something to tell."""
        more = len(self.all) - MAX_REASONS
        if more > 0:
            self.all[MAX_REASONS:] = [Refusal("", Rule.LIMIT, f"and {more} more reasons")]
        if self.all:
            raise RequestRefused(self.all)


def _raw_scans_disabled(given: Arguments) -> Refusal:
    what = ", ".join(given.raw_only) or "scanType"
    return Refusal(what, Rule.OPTION, f"{what}: raw sockets are not to be had here, the operator disabled RawScans")


def _checked_count(left: Sequence[TargetSlice]) -> int:
    addresses = count_addresses(left)
    if not addresses:
        reason = "no target is left: the excludes take out every address"
        raise RequestRefused([Refusal("exclude", Rule.FIELD, reason)])
    if addresses > MAX_ADDRESSES_PER_SCAN:
        reason = f"{addresses} addresses are more than {MAX_ADDRESSES_PER_SCAN}: ask for several scans"
        raise RequestRefused([Refusal("targets", Rule.LIMIT, reason)])
    return addresses


def choose_lane(profile: Profile, arguments: CheckedArguments, addresses: int, shards: int) -> Lane:
    """Raw scans need raw workers; a single small connect shard takes the express lane."""
    if profile == "raw":
        return Lane.RAW
    options = frozenset(arguments.options)
    probes = addresses * count_ports(arguments.options) * (PROBING_COST if options & PROBING else 1)
    return Lane.EXPRESS if shards == 1 and probes <= EXPRESS_MAX_PROBES and not options & SLOW else Lane.CONNECT


def _targets(expressions: Iterable[str], family: int, scope: Scope) -> Sequence[Target]:
    targets = parse_targets(expressions, family)
    if not targets:
        reason = "no target: give `targets`, or a target among `parameters`"
        raise RequestRefused([Refusal("targets", Rule.FIELD, reason)])
    refusals = [
        Refusal(target.expression, Rule.SCOPE, why) for target in targets if (why := scope.find_refusal(target))
    ]
    if refusals:
        raise RequestRefused(refusals)
    return targets


def _check_reach(targets: Sequence[Target], reach: WorkerReach) -> str:
    """What cannot be told yet, or an empty text. Raises: RequestRefused: targets that the workers do not reach."""
    refusals = [
        Refusal(target.expression, Rule.SCOPE, why) for target in targets if (why := reach.find_refusal(target))
    ]
    if refusals:
        raise RequestRefused(refusals)
    return reach.describe_unknown_reach(targets)


def _needs_a_network(left: Iterable[TargetSlice], family: int) -> bool:
    """Whether a Lambda outside the operator's network, which has no IPv6, cannot get there.

    For the few addresses of an express shard only: each is looked at. What a name stands for is not known yet.
    """
    addresses = (address for piece in left for address in enumerate_slice(piece, family, {}))
    return family == IPV6 or any(not is_public(IPV4, int(IPv4Address(address))) for address in addresses)
