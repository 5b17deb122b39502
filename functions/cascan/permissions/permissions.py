"""What the operator of a stack permits.

Every request is judged by it, to be planned or only to be checked.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.model.vantage import Vantage
from cascan.model.worker_network import WorkerNetwork
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import WorkerReach


class PermissionSettings(Protocol):
    """The environment variables of a function that decide what is permitted."""

    @property
    def allowed_targets(self) -> tuple[str, ...]: ...
    @property
    def denied_targets(self) -> tuple[str, ...]: ...
    @property
    def policy_profile(self) -> PolicyProfile: ...
    @property
    def raw_scans(self) -> str: ...  # enabled, disabled
    @property
    def worker_egress(self) -> tuple[str, ...]: ...  # networks that the small VPC lets out
    @property
    def worker_network(self) -> WorkerNetwork: ...
    @property
    def worker_ipv6(self) -> Literal["enabled", "disabled"]: ...  # whether the operator's subnets have IPv6


class Permissions(msgspec.Struct, frozen=True):
    """Everything that decides whether a request may run."""

    scope: Scope
    policy: PolicyProfile = PolicyProfile.SAFE  # a request may narrow it
    raw_scans: bool = True
    express_reaches_private: bool = True  # the express Lambda runs in the operator's network
    reach: WorkerReach | None = None  # of workers in AWS; None: they run on this machine
    vantage: Vantage | None = None  # whose workers run the scan; None: the stack's own

    @classmethod
    def of(cls, settings: PermissionSettings, *, express_reaches_private: bool = True) -> Permissions:
        """The permissions of a stack.

        Raises: SettingsError: an entry of a list is neither a network nor a domain.
        """
        return cls(
            scope=Scope.of(settings.allowed_targets, settings.denied_targets),
            policy=settings.policy_profile,
            raw_scans=settings.raw_scans == "enabled",
            express_reaches_private=express_reaches_private,
            reach=WorkerReach.of(
                settings.worker_egress,
                settings.worker_network,
                has_ipv6=settings.worker_ipv6 == "enabled",
            ),
        )

    @property
    def is_express_outside(self) -> bool:
        """The express function and the stack's workers look at the network from different places.

        Workers that the stack gives public addresses look at it from the Internet, as the function does.
        """
        in_subnets = self.reach is not None and self.reach.network is WorkerNetwork.SUBNETS
        return in_subnets and not self.express_reaches_private

    def at_vantage(self, vantage: Vantage) -> Permissions:
        """The permissions of a scan from this vantage: the same, with the reach of its workers.

        Raises: SettingsError: an entry of its networks is not an IPv4 network.
        """
        return replace(self, vantage=vantage, reach=WorkerReach.of_vantage(vantage))

    def narrow_policy(self, requested: PolicyProfile | None) -> PolicyProfile:
        """The policy profile of a request: the operator's, or a narrower one that it names.

        Raises:
            RequestRefused: the request names a wider profile.
        """
        if requested is None:
            return self.policy
        if not self.policy.allows(requested):
            excess = f"policyProfile {requested} is more than {self.policy}"
            policy = "which the operator of this stack allows"
            raise RequestRefused([f"{excess}, {policy}; ask for less"])
        return requested
