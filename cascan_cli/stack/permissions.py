"""What a stack permits: from the policy of the local stack, or the parameters of a deployed one."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from cascan.cost.budget import NO_LIMIT, CostLimit
from cascan.cost.stack_shape import CPU_UNITS, MIB_PER_GIB, STANDARD_SHAPE, StackShape
from cascan.model.policy_profile import PolicyProfile
from cascan.model.worker_network import PRIVATE_NETWORKS, PUBLIC, WorkerNetwork
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import WorkerReach
from cascan.planning.rates import ScanDefaults
from cascan.settings import SettingsError
from cascan_cli.errors import BadInput
from cascan_cli.stack.open import describe_stack


def read_permissions(args: Namespace) -> Permissions:
    """The permissions of the stack, with --allow, --deny and --policy-profile applied.

    Raises: BadInput: --allow or --deny is not a network or domain. CliError: the stack cannot be
    read.
    """
    parameters: Mapping[str, str] = {}
    also_allowed = getattr(args, "allow", None) or ()
    also_denied = getattr(args, "deny", None) or ()
    profile = getattr(args, "policy_profile", None)
    if not args.stack:
        from cascan_cli.local.policy import read_policy

        policy = read_policy(args.state_dir).widen(args)
        allowed, denied = list(policy.allowed_targets), list[str]()
        also_allowed, profile = (), policy.profile
    else:
        parameters = _parameters(args.stack)
        if "AllowedTargets" not in parameters:
            raise BadInput(f"stack {args.stack!r} is not a cascan stack: it has no parameter AllowedTargets")
        allowed = _split_list(parameters["AllowedTargets"])
        denied = _split_list(parameters.get("DeniedTargets", ""))
    try:
        return Permissions(
            Scope.of([*allowed, *also_allowed], [*denied, *also_denied]),
            _parse_profile(profile or parameters.get("PolicyProfile", PolicyProfile.SAFE)),
            parameters.get("RawScans", "enabled") == "enabled",
            _reaches_private(parameters),
            _read_reach(parameters),
        )
    except SettingsError as exc:
        raise BadInput(str(exc)) from exc


def _parameters(stack: str) -> dict[str, str]:
    parameters = describe_stack(stack).get("Parameters", [])
    return {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in parameters}


def _parse_profile(text: str) -> PolicyProfile:
    """Raises: BadInput: this version of cascan does not know the profile."""
    if text not in list(PolicyProfile):
        raise BadInput(f"the stack's PolicyProfile {text!r} is not one of {', '.join(PolicyProfile)}")
    return PolicyProfile(text)


def _split_list(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _read_reach(parameters: Mapping[str, str]) -> WorkerReach | None:
    """What workers reach; None on this machine."""
    if not parameters:
        return None
    network = _read_network(parameters)
    # A stack that has no such parameter is older, and accepts IPv6 targets.
    has_ipv6 = parameters.get("WorkerIpv6", "enabled") == "enabled"
    return WorkerReach.of(_split_list(parameters.get("WorkerEgress", "")), network, has_ipv6=has_ipv6)


def _read_network(parameters: Mapping[str, str]) -> WorkerNetwork:
    """Raises: BadInput: this version of cascan does not know the stack's WorkerNetwork."""
    made = parameters.get("WorkerNetwork", PUBLIC)  # older stacks make no other network
    try:
        return WorkerNetwork.of_stack(made, parameters.get("WorkerSubnets", ""))
    except ValueError as exc:
        raise BadInput(f"the stack's WorkerNetwork {made!r} is unknown to this version of cascan") from exc


def _reaches_private(parameters: Mapping[str, str]) -> bool:
    """The condition ExpressInNetwork of the template; always true on one machine."""
    if not parameters or _read_network(parameters) in PRIVATE_NETWORKS:
        return True
    in_subnets = bool(parameters.get("WorkerSubnets") and parameters.get("WorkerSecurityGroups"))
    return in_subnets and parameters.get("WorkerPublicIp") == "DISABLED"


def _has_public_ip(parameters: Mapping[str, str]) -> bool:
    """Whether each worker has a public address."""
    is_private = _read_network(parameters) in PRIVATE_NETWORKS
    return not is_private and parameters.get("WorkerPublicIp", "ENABLED") == "ENABLED"


def read_scan_defaults(args: Namespace) -> ScanDefaults:
    """The defaults of the stack for requests, such as how many shards of a scan run at once."""
    parameters = _parameters(args.stack) if args.stack else {}
    shards_per_scan = parameters.get("ShardsPerScan")
    return ScanDefaults(int(shards_per_scan)) if shards_per_scan else ScanDefaults()


def read_stack_shape(args: Namespace) -> StackShape:
    """What of the stack decides on cost: its parameters, or the template's defaults on one machine.

    Raises: BadInput: a parameter is not a number.
    """
    parameters = _parameters(args.stack) if args.stack else {}
    if not parameters:
        return STANDARD_SHAPE
    standard = STANDARD_SHAPE
    return StackShape(
        vcpu=_read_number(parameters, "WorkerCpu", standard.vcpu * CPU_UNITS) / CPU_UNITS,
        memory_gb=_read_number(parameters, "WorkerMemory", standard.memory_gb * MIB_PER_GIB) / MIB_PER_GIB,
        storage_gb=int(_read_number(parameters, "WorkerStorage", standard.storage_gb)),
        spot=parameters.get("WorkerSpot", "enabled") == "enabled",
        public_ip=_has_public_ip(parameters),
        max_workers=int(_read_number(parameters, "MaxWorkers", standard.max_workers)),
        worker_slots=max(1, int(_read_number(parameters, "WorkerSlots", standard.worker_slots))),
        idle_exit_s=int(_read_number(parameters, "IdleExitSeconds", standard.idle_exit_s)),
        shard_timeout_s=int(_read_number(parameters, "ShardTimeoutSeconds", standard.shard_timeout_s)),
    )


def read_cost_limit(args: Namespace) -> CostLimit:
    """What a scan of the stack may cost.

    Raises: BadInput: a parameter is not a number.
    """
    parameters = _parameters(args.stack) if args.stack else {}
    return CostLimit(max_scan_usd=_read_number(parameters, "MaxScanCostUsd", NO_LIMIT), shape=read_stack_shape(args))


def _read_number(parameters: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(parameters.get(name, default))
    except ValueError as exc:
        raise BadInput(f"the stack's parameter {name} is not a number") from exc
