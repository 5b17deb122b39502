"""The worker profile and the lane that a request needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from cascan.limits import EXPRESS_MAX_PROBES
from cascan.model.request import ScanRequest, ScanType
from cascan.model.shard import Lane, TargetSlice
from cascan.nmap.options.arguments import Arguments, Profile
from cascan.nmap.special_addresses import is_public
from cascan.nmap.targets.kinds import IPV4, IPV6
from cascan.nmap.targets.target_set import enumerate_slice

PROBING = frozenset({"-sV", "--script"})  # options that talk to open ports, for seconds
PROBING_COST = 4  # in probes
SLOW = frozenset({"-T0", "-T1", "--scan-delay", "--max-rate"})  # duration unknown: not for a Lambda


def choose_profile(request: ScanRequest, parsed: Arguments) -> Profile:
    """The profile of the request's scan type.

    Without a scan type: raw if an option needs raw sockets.
    """
    if request.scan_type is None:
        return "raw" if parsed.raw_only else "connect"
    return "raw" if request.scan_type is ScanType.NMAP_PRIVILEGED else "connect"


def choose_lane(profile: Profile, options: Sequence[str], probes: int, *, is_small: bool) -> Lane:
    """The lane: raw for the raw profile, express for few probes in few shards, else connect.

    `options` are canonical. `probes` are addresses times ports. `is_small`: there are few shards.
    """
    if profile == "raw":
        return Lane.RAW
    names = frozenset(options)
    cost = PROBING_COST if names & PROBING else 1
    has_few_probes = probes * cost <= EXPRESS_MAX_PROBES
    return Lane.EXPRESS if is_small and has_few_probes and not names & SLOW else Lane.CONNECT


def needs_operators_network(slices: Iterable[TargetSlice], family: int) -> bool:
    """Whether a Lambda outside the operator's network cannot reach one of the addresses.

    It has no IPv6.

    Every address is checked, so this is only for the few of an express shard. A name is not
    resolved here: it counts as reachable.
    """
    if family == IPV6:
        return True
    for target_slice in slices:
        for address in enumerate_slice(target_slice, family, {}):
            if not is_public(IPV4, int(IPv4Address(address))):
                return True
    return False
