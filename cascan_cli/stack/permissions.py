"""What a stack's operator permits: of the one on this machine, or of a deployed one, from its parameters."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from cascan.model.policy_profile import PolicyProfile
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import WorkerReach
from cascan.planning.rates import ScanDefaults
from cascan.settings import SettingsError
from cascan_cli.errors import BadInput
from cascan_cli.stack.open import describe_stack


def read_permissions(args: Namespace) -> Permissions:
    """What the stack permits that the command names, as the stack itself judges, with what the command adds.

    Raises: BadInput: --allow or --deny is no network or domain. CliError: the stack cannot be read.
    """
    parameters: Mapping[str, str] = {}
    more = getattr(args, "allow", None) or ()
    profile = getattr(args, "policy_profile", None)
    if not args.stack:
        from cascan_cli.local.policy import read_policy

        policy = read_policy(args.state_dir).widened(args)
        allowed, denied, more, profile = list(policy.allowed_targets), list[str](), (), policy.profile
    else:
        parameters = _parameters(args.stack)
        if "AllowedTargets" not in parameters:
            raise BadInput(f"stack {args.stack!r} is not a cascan stack: it has no parameter AllowedTargets")
        allowed = _listed(parameters["AllowedTargets"])
        denied = _listed(parameters.get("DeniedTargets", ""))
    try:
        return Permissions(
            Scope.of([*allowed, *more], [*denied, *(getattr(args, "deny", None) or ())]),
            _profile(profile or parameters.get("PolicyProfile", PolicyProfile.SAFE)),
            parameters.get("RawScans", "enabled") == "enabled",
            _reaches_private(parameters),
            None if parameters.get("WorkerSubnets") else WorkerReach.of(_listed(parameters.get("WorkerEgress", ""))),
        )
    except SettingsError as exc:
        raise BadInput(str(exc)) from exc


def _parameters(stack: str) -> dict[str, str]:
    listed = describe_stack(stack).get("Parameters", [])
    return {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in listed}


def _profile(text: str) -> PolicyProfile:
    """Raises: BadInput: a profile that this version does not know."""
    if text not in list(PolicyProfile):
        raise BadInput(f"the stack's PolicyProfile {text!r} is none of {', '.join(PolicyProfile)}")
    return PolicyProfile(text)


def _listed(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _reaches_private(parameters: Mapping[str, str]) -> bool:
    """The template's condition ExpressInNetwork; on one machine it holds."""
    in_subnets = bool(parameters.get("WorkerSubnets") and parameters.get("WorkerSecurityGroups"))
    return not parameters or (in_subnets and parameters.get("WorkerPublicIp") == "DISABLED")


def read_scan_defaults(args: Namespace) -> ScanDefaults:
    """How much of a scan runs at once on the stack: of a deployed one from its parameters."""
    parameters = _parameters(args.stack) if args.stack else {}
    return ScanDefaults(int(parameters["ShardsPerScan"])) if parameters.get("ShardsPerScan") else ScanDefaults()
