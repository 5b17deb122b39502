"""The addresses that workers can reach where the stack made their network: fewer than the scope, if the two differ.

A security group drops packets silently, so a host behind it looks dead. A target that it does not let out is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

import msgspec

from cascan.nmap.intervals import merge_intervals
from cascan.nmap.targets.coverage import Intervals, find_first_outside
from cascan.nmap.targets.kinds import IPV4, Name, Target
from cascan.nmap.targets.octets import Octets
from cascan.settings import SettingsError

EVERYWHERE = ((0, 0xFFFFFFFF),)
NO_IPV6 = "is an IPv6 target, and the stack's own small VPC has no IPv6; use WorkerSubnets of your own"
LEFT_OUT = "is allowed, but WorkerEgress leaves it out, so it would look dead to workers; set WorkerEgress to what"
UNKNOWN = "whether workers reach a name is known only when it is resolved: add its networks to WorkerEgress"


class WorkerReach(msgspec.Struct, frozen=True):
    """The IPv4 addresses that WorkerEgress lets out."""

    networks: Intervals

    @classmethod
    def of(cls, egress: Sequence[str]) -> WorkerReach | None:
        """None for an empty list: the network is the operator's own, and what it lets out is not known.

        Raises: SettingsError: names the entry that is not an IPv4 network.
        """
        try:
            networks = [IPv4Network(entry) for entry in egress]
        except ValueError as exc:
            raise SettingsError(f"WorkerEgress: {exc}") from exc
        spans = merge_intervals((int(network[0]), int(network[-1])) for network in networks)
        return cls(spans) if spans else None

    def find_refusal(self, target: Target) -> str | None:
        """Why workers cannot reach the target, naming the first address outside. None: they may.

        Of a name only the family is known yet.
        """
        if not isinstance(target, Octets):
            is_known = not isinstance(target, Name) or target.family != IPV4
            return f"{target.expression} {NO_IPV6}" if is_known else None
        outside = find_first_outside(target, self.networks)
        if outside is None:
            return None
        address = str(IPv4Address(outside))
        origin = "" if address == target.expression else f" ({target.expression})"
        return f"{address}{origin} {LEFT_OUT} `cascan egress` prints for the stack's AllowedTargets"

    def describe_unknown_reach(self, targets: Sequence[Target]) -> str:
        """A note on names, whose reach is not known yet. Empty: there are none, or everything is reachable."""
        named = self.networks != EVERYWHERE and any(isinstance(target, Name) for target in targets)
        return UNKNOWN if named else ""
