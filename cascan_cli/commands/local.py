"""`cascan local up|down|status`: the stack on this machine, for longer than one command."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.policy import LocalPolicy, read_policy, store_policy
from cascan_cli.local.stack import Status, down, status, up
from cascan_cli.local.state import StateDir
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.health import describe_halt, read_stored_switch
from cascan_cli.stack.open import StackGateways, local_parameters, open_stack

if TYPE_CHECKING:
    from cascan.model.agenda import Switch


def run(args: Namespace) -> int:
    if args.action == "up":
        policy = _policy_to_set(args)
        found = up(args.state_dir, local_parameters(policy))
        store_policy(args.state_dir, policy)
        with open_stack(Namespace(stack=None, state_dir=args.state_dir)) as stack:  # rebuilds what a hard kill took
            _show(found, policy, stack.table.switch(), as_json=args.json)
    elif args.action == "status":
        found = status(args.state_dir)
        _show(found, read_policy(args.state_dir), _switch(found), as_json=args.json)
    else:
        print_message("the local stack has ended" if down(args.state_dir) else "no local stack was running")
    return 0


def _policy_to_set(args: Namespace) -> LocalPolicy:
    """Raises: BadInput: an entry of --allow is no network or domain."""
    from cascan.permissions.scope import Scope
    from cascan.settings import SettingsError

    policy = read_policy(args.state_dir).replaced(args)
    try:
        Scope.of(policy.allowed_targets, ())
    except SettingsError as exc:
        raise BadInput(f"--allow: {exc}") from exc
    return policy


def _switch(found: Status) -> Switch | None:
    """That the stack is halted: from its table while it is up, else from what is kept beside the reports."""
    if found.deployed is None:
        return None
    state = StateDir(found.state_dir)
    if found.running is None:
        return read_stored_switch(state.objects, found.deployed["ReportBucketName"])
    use_endpoint(state.endpoint())
    return StackGateways(found.deployed, stays_up=True).table.switch()


def _show(found: Status, policy: LocalPolicy, switch: Switch | None, *, as_json: bool) -> None:
    if as_json:
        running = {"pid": found.running.pid, "since": found.running.since} if found.running else None
        print_json(
            {
                "stateDir": str(found.state_dir),
                "endpointUrl": found.endpoint_url,
                "running": running,
                "allowedTargets": policy.allowed_targets,
                "policyProfile": policy.profile,
                "halted": {"since": switch.halted_at, "by": switch.by, "reason": switch.reason} if switch else None,
                "outputs": dict(found.deployed or {}),
            }
        )
        return
    if found.running:
        print_message(
            f"the local stack is up at {found.endpoint_url} (process {found.running.pid}), state in {found.state_dir}"
        )
    else:
        print_message(f"no local stack is running; state in {found.state_dir}")
    print_message(f"the stack {policy.sentence()}")
    if switch:
        print_message(describe_halt(switch))
