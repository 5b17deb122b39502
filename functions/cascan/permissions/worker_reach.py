"""The addresses that workers in AWS can reach: fewer than the scope, if routes or security groups are narrower.

A route that does not exist and a security group both drop packets silently, so a host behind them looks dead. A target
that cannot answer is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

import msgspec

from cascan.model.vantage import Vantage
from cascan.model.worker_network import WorkerNetwork
from cascan.nmap.intervals import merge_intervals, subtract_intervals
from cascan.nmap.special_addresses import find_block, list_public_ipv4
from cascan.nmap.targets.coverage import Intervals, find_first_outside
from cascan.nmap.targets.kinds import IPV4, Name, Target
from cascan.nmap.targets.octets import Octets
from cascan.settings import SettingsError

EVERYWHERE = ((0, 0xFFFFFFFF),)
FORGED_SENDERS = ("-D", "--spoof-mac")  # -S is refused everywhere
NO_IPV6 = "is an IPv6 target, and the stack's own small VPC has no IPv6; set WorkerSubnets and WorkerIpv6=enabled"
NO_IPV6_IN_SUBNETS = "is an IPv6 target, and WorkerIpv6 is disabled; set WorkerIpv6=enabled if WorkerSubnets route IPv6"
NO_ROUTE = (
    "and the one route of the stack's own small VPC leads to the public Internet, so no answer would come back; "
    "set WorkerSubnets and WorkerSecurityGroups to a network with a route to it"
)
NO_INTERNET = (
    "and the stack's own network has endpoints and no route to the Internet (WorkerNetwork=endpoints), so no answer "
    "would come back; set WorkerNetwork=public or WorkerNetwork=nat"
)
CONNECTED = (
    "the stack's own network (WorkerNetwork=endpoints) leads only to networks that you have connected to its VPC, by "
    "peering or a transit gateway: hosts of others look dead"
)
LEFT_OUT = "is allowed, but WorkerEgress leaves it out, so it would look dead to workers; set WorkerEgress to what"
UNKNOWN = "whether workers reach a name is known only when it is resolved: add its networks to WorkerEgress"
SOURCE_CHECK = (
    "has no effect in AWS: its source check drops every packet whose sender is not the worker's own address, so the "
    "target does not receive these packets"
)


class WorkerReach(msgspec.Struct, frozen=True):
    """What can answer workers that run in AWS."""

    networks: Intervals = EVERYWHERE  # IPv4, that WorkerEgress lets out
    network: WorkerNetwork = WorkerNetwork.SMALL_VPC
    has_ipv6: bool = False
    vantage: str = ""  # whose workers these are; empty: the stack's own

    @classmethod
    def of(cls, egress: Sequence[str], network: WorkerNetwork, *, has_ipv6: bool) -> WorkerReach | None:
        """None: workers run on this machine, and reach what it reaches.

        What the operator's own subnets route and let out is not known, except for IPv6: `has_ipv6`.

        Raises: SettingsError: names the entry that is not an IPv4 network.
        """
        if network is WorkerNetwork.MACHINE:
            return None
        if network is WorkerNetwork.SUBNETS:
            return cls(network=network, has_ipv6=has_ipv6)
        return cls(_parse_networks("WorkerEgress", egress) or EVERYWHERE, network)

    @classmethod
    def of_vantage(cls, vantage: Vantage) -> WorkerReach | None:
        """What its workers reach. None: its network is one of this machine.

        Raises: SettingsError: names the entry that is not an IPv4 network.
        """
        if vantage.namespace:
            return None
        networks = _parse_networks(f"vantage {vantage.name}", vantage.networks)
        return cls(networks or EVERYWHERE, WorkerNetwork.SUBNETS, vantage.has_ipv6, vantage.name)

    def find_refusal(self, target: Target) -> str | None:
        """Why workers cannot reach the target, naming the first address outside. None: they may.

        Of a name only the family is known yet.
        """
        if not isinstance(target, Octets):
            is_ipv4_name = isinstance(target, Name) and target.family == IPV4
            return None if is_ipv4_name or self.has_ipv6 else f"{target.expression} {self._no_ipv6}"
        if self.vantage:
            unreached = find_first_outside(target, self.networks)
            return f"{_name_address(target, unreached)} {self._not_reached}" if unreached is not None else None
        if not self._is_made_by_stack:
            return None
        unrouted = find_first_outside(target, list_routed_ipv4(self.network))
        if unrouted is not None:
            missing_route = describe_missing_route(self.network, f" ({describe_purpose(unrouted)})")
            return f"{_name_address(target, unrouted)} {missing_route}"
        outside = find_first_outside(target, self.networks)
        if outside is None:
            return None
        return f"{_name_address(target, outside)} {LEFT_OUT} `cascan egress` prints for the stack's AllowedTargets"

    @property
    def _is_made_by_stack(self) -> bool:
        return self.network is not WorkerNetwork.SUBNETS

    @property
    def _not_reached(self) -> str:
        return f"is not in the networks that workers of vantage {self.vantage} reach; `cascan vantage list` shows them"

    @property
    def _no_ipv6(self) -> str:
        if self.vantage:
            return f"is an IPv6 target, and workers of vantage {self.vantage} have no IPv6"
        return NO_IPV6 if self._is_made_by_stack else NO_IPV6_IN_SUBNETS

    def describe_connected_networks(self) -> str:
        """A note on a network that leads only to what the operator connects to it. Empty for any other."""
        return CONNECTED if self.network is WorkerNetwork.ENDPOINTS else ""

    def describe_unknown_reach(self, targets: Sequence[Target]) -> str:
        """A note on names, whose reach is not known yet. Empty: there are none, or everything is reachable."""
        named = self.networks != EVERYWHERE and any(isinstance(target, Name) for target in targets)
        return UNKNOWN if named else ""


def _parse_networks(owner: str, networks: Iterable[str]) -> Intervals:
    """Raises: SettingsError: an entry is not an IPv4 network."""
    try:
        parsed = [IPv4Network(entry) for entry in networks]
    except ValueError as exc:
        raise SettingsError(f"{owner}: {exc}") from exc
    return merge_intervals((int(network[0]), int(network[-1])) for network in parsed)


def describe_forged_senders(options: Iterable[str]) -> str:
    """A note on options that forge the sender of packets. `options` are canonical. Empty: there are none."""
    given = frozenset(options)
    forging = [option for option in FORGED_SENDERS if option in given]
    return f"{', '.join(forging)} {SOURCE_CHECK}" if forging else ""


def list_routed_ipv4(network: WorkerNetwork) -> Intervals:
    """The addresses that a route of the network can lead to. `network` is one that the stack makes."""
    if network is WorkerNetwork.ENDPOINTS:
        return subtract_intervals(EVERYWHERE, list_public_ipv4())
    return list_public_ipv4()


def describe_missing_route(network: WorkerNetwork, purpose: str = "") -> str:
    """Why the network has no route to an address, as the end of a sentence that begins with the address.

    `purpose` is what an address that is not public is reserved for.
    """
    if network is WorkerNetwork.ENDPOINTS:
        return f"is a public address, {NO_INTERNET}"
    return f"is not a public address{purpose}, {NO_ROUTE}"


def describe_purpose(address: int) -> str:
    """What the IPv4 address is reserved for, such as `private use`."""
    block = find_block(IPV4, address)
    return block.purpose if block else "public"


def _name_address(target: Octets, number: int) -> str:
    """The address, and the target expression that has it."""
    address = str(IPv4Address(number))
    return address if address == target.expression else f"{address} ({target.expression})"
