"""A request → its plan: shards with their lane and arguments.

It is computed once; later steps only read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat

import msgspec

from cascan.errors import RequestRefused
from cascan.limits import HOSTS_PER_SHARD, MAX_ADDRESSES_PER_SCAN, MAX_EXPRESS_PORT_SETS, MAX_SHARDS_PER_SCAN
from cascan.model.identity import IdentityKind
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest, ScanType
from cascan.model.shard import Lane, Shard, ShardState, TargetSlice
from cascan.model.vantage import DEFAULT_VANTAGE, EXPRESS_VANTAGE, Vantage
from cascan.nmap.options.host_timeout import lengthen_host_timeout
from cascan.nmap.ports.scanned_ports import count_ports
from cascan.nmap.targets.group_by_ports import PortChoice, TargetPorts, group_by_ports
from cascan.nmap.targets.one_shard_per_name import find_single_names, separate_names
from cascan.nmap.targets.target_set import Name, count_addresses, pack_shards, slice_targets
from cascan.permissions.permissions import Permissions
from cascan.permissions.worker_reach import describe_forged_senders
from cascan.planning.check_request import CheckedRequest, check_request
from cascan.planning.lane import choose_lane, needs_operators_network
from cascan.planning.own_ports import choose_ports, require_few_groups
from cascan.planning.rates import ScanDefaults, choose_shards_at_once, describe_shares, split_rates

Slices = tuple[TargetSlice, ...]
REQUEST_PORTS = PortChoice(common=True)  # those that the options of the request choose
STANDARD = ScanDefaults()
SEEN_FROM_EXPRESS = (
    f"a scan of this size runs in the express function, which is not in the workers' network (WorkerSubnets): "
    f"what it sees is kept under vantage {EXPRESS_VANTAGE}"
)
NO_LONGER_LIMIT = "retryTimedOut has no effect: hosts have no time limit (--host-timeout) that could be doubled"

NO_MAC = (
    "identity: mac has no effect: a scan without raw sockets sees no MAC addresses, so its hosts are known by"
    " their addresses; ask for an option that needs raw sockets, such as -sS, or for scanType nmap-privileged"
)
NO_NAMES = (
    "identity: name: with -n no names are looked up, so hosts that the request names by their addresses are known"
    " by these; leave -n out, or name the hosts as targets"
)


class PortGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive shards whose hosts are asked the same ports."""

    ports: str  # the hosts' own, as the value of -p; empty: those that the request's options choose
    arguments: tuple[str, ...]  # of the scan with these ports, with its whole rates
    shards: int
    addresses: int

    @property
    def probes(self) -> int:
        return self.addresses * count_ports(self.arguments)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The shards that a request is split into, and how they run."""

    scan_type: ScanType  # as requested, or chosen by what the options need
    lane: Lane
    arguments: tuple[str, ...]  # of the scan, with its whole rates; of its first group
    groups: tuple[PortGroup, ...]  # in the order of the shards; one unless targets have ports of their own
    parallel: int  # shards at once; they share the rates
    family: int
    exclude: tuple[str, ...]
    vantage: str  # where it is scanned from
    express_vantage: str  # of what express shards see, if that function is outside the workers' network; else empty
    names: frozenset[str]  # expressions of names, which the worker resolves
    slices: tuple[Slices, ...]  # of each shard
    addresses: int  # without duplicates and excludes; a name counts as one
    probes: int  # addresses times ports, at most
    backoff_limit: int
    retry_timed_out: bool
    notes: tuple[str, ...]

    @property
    def shard_arguments(self) -> tuple[tuple[str, ...], ...]:
        """nmap's options of the shards of each group: the scan's, with a share of its rates."""
        return tuple(split_rates(group.arguments, self.parallel) for group in self.groups)

    def shards(self, scan_id: str, *, queued: int | None = None) -> Iterator[Shard]:
        """The shards of the scan.

        The first `queued` are queued and the others wait. None: all are queued.

        Slices have no excluded addresses. Only a shard with names carries the excludes, for the
        addresses of its names.
        """
        by_group = zip(self.shard_arguments, self.groups, strict=True)
        of_shards = chain.from_iterable(repeat(arguments, group.shards) for arguments, group in by_group)
        for number, (slices, arguments) in enumerate(zip(self.slices, of_shards, strict=True)):
            has_names = any(target_slice.expression in self.names for target_slice in slices)
            is_queued = queued is None or number < queued
            yield Shard(
                scan_id=scan_id,
                number=number,
                lane=self.lane,
                slices=slices,
                arguments=arguments,
                family=self.family,
                exclude=self.exclude if has_names else (),
                addresses=count_addresses(slices),
                backoff_limit=self.backoff_limit,
                retry_timed_out=self.retry_timed_out,
                state=ShardState.QUEUED if is_queued else ShardState.WAITING,
            )


def plan(
    request: ScanRequest,
    permissions: Permissions,
    defaults: ScanDefaults = STANDARD,
    *,
    members: int = 1,
) -> Plan:
    """The plan of a request; of one that several scans share, the plan of one of `members`.

    Raises:
        RequestRefused: with every reason, at most MAX_REASONS of them.
    """
    return build_plan(check_request(request, permissions), permissions, defaults, members=members)


def build_plan(
    checked: CheckedRequest,
    permissions: Permissions,
    defaults: ScanDefaults,
    *,
    members: int = 1,
) -> Plan:
    """The plan of a request whose parts have been judged.

    `members`: how many scans share the rates of the request, and its shards at once.

    Raises:
        RequestRefused: a part is refused; or no address, too many, or unreachable ones remain.
    """
    if checked.refusals:
        raise RequestRefused(checked.refusals)
    request, targets = checked.request, checked.targets
    arguments = split_rates(checked.arguments.options, members)
    target_slices = tuple(slice_targets(targets, checked.exclusion))
    addresses = _count_allowed(target_slices)
    packed = _pack_groups(checked, target_slices, addresses)
    names, names_note = find_single_names(chain.from_iterable(packed.values()), arguments, targets)
    separated = {choice: separate_names(shards, names) for choice, shards in packed.items()}
    groups = tuple(_build_group(choice, shards, arguments) for choice, shards in separated.items())
    probes = sum(group.probes for group in groups)
    lane = choose_lane(checked.profile, arguments, probes, is_small=_has_few_shards(packed))
    if lane is Lane.EXPRESS and not _may_run_express(permissions, target_slices, checked.arguments.family):
        lane = Lane.CONNECT
    _require_workers(permissions.vantage, lane)
    shards = tuple(chain.from_iterable(separated.values()))
    can_double_timeout = bool(lengthen_host_timeout(arguments))
    timeout_note = NO_LONGER_LIMIT if request.retry_timed_out and not can_double_timeout else ""
    reach_notes = _check_reach(checked, permissions, lane)
    at_once = max(1, defaults.choose_parallel(request) // members)
    parallel = choose_shards_at_once(arguments, len(shards), at_once)
    rates_note = describe_shares(arguments, parallel)
    express_vantage = EXPRESS_VANTAGE if lane is Lane.EXPRESS and permissions.is_express_outside else ""
    place_note = SEEN_FROM_EXPRESS if express_vantage else ""
    identity_note = _describe_missing_identity(checked, arguments)
    notes = filter(None, (names_note, *reach_notes, place_note, timeout_note, rates_note, identity_note))
    return Plan(
        scan_type=ScanType.NMAP_PRIVILEGED if checked.profile == "raw" else ScanType.NMAP,
        lane=lane,
        arguments=groups[0].arguments,
        groups=groups,
        parallel=parallel,
        family=checked.arguments.family,
        exclude=checked.exclude,
        vantage=permissions.vantage.name if permissions.vantage else DEFAULT_VANTAGE,
        express_vantage=express_vantage,
        names=frozenset(target.expression for target in targets if isinstance(target, Name)),
        slices=shards,
        addresses=addresses,
        probes=probes,
        backoff_limit=defaults.choose_backoff_limit(request),
        retry_timed_out=request.retry_timed_out and can_double_timeout,
        notes=(*checked.arguments.notes, *notes),
    )


def _describe_missing_identity(checked: CheckedRequest, options: Sequence[str]) -> str:
    """Why reports will lack what the request wants hosts to be known by. Empty: they may have it."""
    match checked.request.identity:
        case IdentityKind.MAC if checked.profile != "raw":
            return NO_MAC
        case IdentityKind.NAME if "-n" in options:
            has_addresses = any(not isinstance(target, Name) for target in checked.targets)
            return NO_NAMES if has_addresses else ""
        case _:
            return ""


def _may_run_express(permissions: Permissions, slices: Sequence[TargetSlice], family: int) -> bool:
    """Whether the express function, which is part of the stack, reaches the targets."""
    if permissions.vantage is not None:
        return False
    return permissions.express_reaches_private or not needs_operators_network(slices, family)


def _require_workers(vantage: Vantage | None, lane: Lane) -> None:
    """Raises: RequestRefused: the vantage has no workers of this lane."""
    if vantage is not None and lane.value not in vantage.queues:
        reason = f"vantage {vantage.name} has no {lane} workers, and the scan needs them"
        raise RequestRefused([Refusal("vantage", Rule.OPTION, reason)])


def _pack_groups(
    checked: CheckedRequest, slices: Sequence[TargetSlice], addresses: int
) -> dict[PortChoice, tuple[Slices, ...]]:
    """The slices of each shard, by the ports that its hosts are asked.

    Raises: RequestRefused: targets with different ports overlap too much, or have too many different sets of ports.
    """
    if not checked.has_own_ports:
        hosts_per_shard = _choose_hosts_per_shard(checked.request, addresses)
        return {REQUEST_PORTS: tuple(pack_shards(slices, hosts_per_shard))}
    entries = [
        TargetPorts(judged.target, REQUEST_PORTS if judged.ports is None else PortChoice(judged.ports))
        for judged in checked.judged_targets
        if judged.target is not None
    ]
    groups = group_by_ports(entries, slices)
    require_few_groups(groups)
    hosts_per_shard = _choose_hosts_per_shard(checked.request, addresses, len(groups))
    return {choice: tuple(pack_shards(group, hosts_per_shard)) for choice, group in groups.items()}


def _has_few_shards(packed: Mapping[PortChoice, Sequence[Slices]]) -> bool:
    """Whether the shards may run on the express lane: one for each of a few sets of ports."""
    return len(packed) <= MAX_EXPRESS_PORT_SETS and all(len(shards) == 1 for shards in packed.values())


def _build_group(choice: PortChoice, shards: Sequence[Slices], arguments: Sequence[str]) -> PortGroup:
    example = shards[0][0].expression
    with_ports = choose_ports(arguments, choice, example)
    return PortGroup(
        ports=with_ports[-1] if choice.own else "",
        arguments=with_ports,
        shards=len(shards),
        addresses=sum(map(count_addresses, shards)),
    )


def _choose_hosts_per_shard(request: ScanRequest, addresses: int, groups: int = 0) -> int:
    """As requested; more for a very wide scan, so that the number of shards stays bounded: each group of hosts with
    the same ports may have one that is not full.
    """
    surplus, room = addresses - groups, MAX_SHARDS_PER_SCAN - groups
    least = -(-surplus // room) if room else addresses
    return max(request.hosts_per_shard or HOSTS_PER_SHARD, least)


def _count_allowed(slices: Sequence[TargetSlice]) -> int:
    """The number of addresses. Raises: RequestRefused: there are none, or too many."""
    addresses = count_addresses(slices)
    if not addresses:
        reason = "all targets are excluded: the excludes cover every address"
        raise RequestRefused([Refusal("exclude", Rule.FIELD, reason)])
    if addresses > MAX_ADDRESSES_PER_SCAN:
        excess = f"{addresses} addresses are more than {MAX_ADDRESSES_PER_SCAN}"
        raise RequestRefused([Refusal("targets", Rule.LIMIT, f"{excess}: ask for several scans")])
    return addresses


def _check_reach(checked: CheckedRequest, permissions: Permissions, lane: Lane) -> tuple[str, ...]:
    """Notes on targets whose reach is unknown yet, and on packets that AWS drops.

    A note may be empty.

    Raises:
        RequestRefused: workers do not reach a target.
    """
    reach = permissions.reach
    if reach is None:
        return ()
    options = checked.parsed.options
    forged_note = describe_forged_senders(given.option.canonical for given in options)
    is_in_workers_network = lane is not Lane.EXPRESS or permissions.express_reaches_private
    if not is_in_workers_network:
        return (forged_note,)
    reasons = {target.expression: reach.find_refusal(target) for target in checked.targets}
    refusals = [Refusal(expression, Rule.SCOPE, reason) for expression, reason in reasons.items() if reason]
    if refusals:
        raise RequestRefused(refusals)
    return reach.describe_unknown_reach(checked.targets), reach.describe_connected_networks(), forged_note
