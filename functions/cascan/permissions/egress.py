"""The scope → the networks to which a worker's security group allows traffic.

IPv4 only, like each network that the stack makes.

A security group cannot deny. So denied networks are cut out of the allowed ones, as long as the
group has enough rules. Otherwise the whole allowed networks are let out, and only the scope's own
three checks keep scans off the denied part.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, collapse_addresses, summarize_address_range

import msgspec

from cascan.model.worker_network import WorkerNetwork
from cascan.nmap.intervals import Interval, subtract_intervals
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import describe_missing_route, describe_purpose, list_routed_ipv4

MAX_NETWORKS = 16  # places in infra/network.yaml


class Egress(msgspec.Struct, frozen=True):
    """Networks to let out, and a sentence for each difference between them and the scope."""

    networks: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def build_egress(
    allowed: Sequence[str],
    denied: Sequence[str] = (),
    network: WorkerNetwork = WorkerNetwork.SMALL_VPC,
) -> Egress:
    """The networks for a scope, in the network that the stack makes.

    Raises: SettingsError: names every entry that is not a network, an address or a domain.
    """
    scope = Scope.of(allowed, denied)
    advice = "a name has no fixed network; add the networks of its hosts"
    remarks = [f"{domain}: {advice}" for domain in scope.domains]
    if scope.permitted6:
        remarks.append("IPv6: the small VPC has none; set WorkerSubnets and WorkerIpv6=enabled for IPv6 targets")
    remarks += _describe_unrouted(allowed, scope, network)
    networks = _list_networks(scope.permitted4)
    if len(networks) > MAX_NETWORKS:
        networks = _list_allowed(allowed)
        remarks.append("denied networks are let out too: a security group has no room to leave them out")
    if len(networks) > MAX_NETWORKS:
        excess = f"{len(networks)} networks are more than {MAX_NETWORKS}"
        remarks.append(f"{excess}: name wider ones, or take WorkerSubnets")
    return Egress(tuple(networks), tuple(remarks))


def _describe_unrouted(allowed: Sequence[str], scope: Scope, worker_network: WorkerNetwork) -> list[str]:
    """A sentence for each allowed network with addresses that no route leads to."""
    remarks: list[str] = []
    reserved = subtract_intervals(scope.permitted4, list_routed_ipv4(worker_network))
    for entry in allowed:
        with suppress(ValueError):  # IPv6, or a domain
            network = IPv4Network(entry)
            low, high = int(network[0]), int(network[-1])
            unrouted = next((max(low, start) for start, end in reserved if start <= high and end >= low), None)
            if unrouted is not None:
                address = f"{IPv4Address(unrouted)} ({describe_purpose(unrouted)})"
                remarks.append(f"{entry}: {address} {describe_missing_route(worker_network)}")
    return remarks


def _list_allowed(allowed: Sequence[str]) -> list[str]:
    """The allowed IPv4 networks, with any denied networks inside them."""
    networks: list[IPv4Network] = []
    for entry in allowed:
        with suppress(ValueError):  # IPv6, or a domain
            networks.append(IPv4Network(entry))
    return [str(network) for network in collapse_addresses(networks)]


def _list_networks(intervals: Sequence[Interval]) -> list[str]:
    return [
        str(network)
        for low, high in intervals
        for network in summarize_address_range(IPv4Address(low), IPv4Address(high))
    ]
