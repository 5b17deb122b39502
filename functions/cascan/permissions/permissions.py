"""What the operator of a stack permits. Every request is judged by it, whether it is planned or only checked."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
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
    scope: Scope
    policy: PolicyProfile = PolicyProfile.SAFE  # which a request may narrow
    raw_scans: bool = True
    express_reaches_private: bool = True  # the Lambda that takes small shards runs in the operator's network
    reach: WorkerReach | None = None  # of workers in AWS; None: they run on this machine

    @classmethod
    def of(cls, settings: PermissionSettings, *, express_reaches_private: bool = True) -> Permissions:
        """Raises: SettingsError: an entry of a list is neither a network nor a domain."""
        return cls(
            Scope.of(settings.allowed_targets, settings.denied_targets),
            settings.policy_profile,
            settings.raw_scans == "enabled",
            express_reaches_private,
            WorkerReach.of(settings.worker_egress, settings.worker_network, has_ipv6=settings.worker_ipv6 == "enabled"),
        )

    def narrow_policy(self, requested: PolicyProfile | None) -> PolicyProfile:
        """The policy profile of one request: the operator's, or a narrower one that the request names.

        Raises:
            RequestRefused: the request names a wider one.
        """
        if requested is None:
            return self.policy
        if not self.policy.allows(requested):
            reason = f"policyProfile {requested} is more than {self.policy}, which the operator of this stack allows"
            raise RequestRefused([f"{reason}; ask for less"])
        return requested
