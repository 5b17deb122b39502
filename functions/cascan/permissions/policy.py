"""The policy profile of one request: what the operator allows, narrowed by what the request asks for."""

from __future__ import annotations

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile


def narrow_policy(operators: PolicyProfile, asked: PolicyProfile | None) -> PolicyProfile:
    """The profile of one request. Raises: RequestRefused: it asks for more than the operator allows."""
    if asked is None:
        return operators
    if not operators.allows(asked):
        raise RequestRefused(
            [f"policyProfile {asked} is more than {operators}, which the operator of this stack allows; ask for less"]
        )
    return asked
