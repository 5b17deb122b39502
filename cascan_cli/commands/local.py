"""`cascan local up|down|status`: start, stop and inspect the stack on this machine."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from cascan.clock import to_wire
from cascan_cli.errors import BadInput
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.deployment import TEMPLATE
from cascan_cli.local.policy import LocalPolicy, read_policy, store_policy
from cascan_cli.local.stack import Status, down, status, up
from cascan_cli.local.state import StateDir
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.health import describe_halt, read_stored_switch
from cascan_cli.stack.open import StackGateways, local_parameters, open_stack

if TYPE_CHECKING:
    from cascan.model.agenda import Switch


def run(args: Namespace) -> int:
    if args.action == "up" and args.foreground:
        _hold(args)
    elif args.action == "up":
        policy = _policy_to_set(args)
        _finish_start(args, up(args.state_dir, local_parameters(policy)), policy)
    elif args.action == "status":
        stack_status = status(args.state_dir)
        _show(stack_status, read_policy(args.state_dir), _switch(stack_status), as_json=args.json)
    else:
        was_running = down(args.state_dir)
        print_message("the local stack has stopped" if was_running else "no local stack was running")
    return 0


def _hold(args: Namespace) -> None:
    """Hold the stack in this process until a signal; systemd learns when it is up."""
    from cascan_cli.local.notify import READY, STOPPING, notify_systemd
    from cascan_cli.local.supervisor import hold_in_foreground

    policy = _policy_to_set(args)

    def report_start() -> None:
        _finish_start(args, status(args.state_dir), policy)
        sys.stdout.flush()  # a service manager reads it from a pipe
        notify_systemd(READY)

    hold_in_foreground(StateDir(args.state_dir), TEMPLATE, local_parameters(policy), report_start)
    notify_systemd(STOPPING)
    print_message("the local stack has stopped")


def _finish_start(args: Namespace, stack_status: Status, policy: LocalPolicy) -> None:
    """Store the policy of a stack that is up, rebuild its tables if necessary, and print its status."""
    store_policy(args.state_dir, policy)
    with open_stack(Namespace(stack=None, state_dir=args.state_dir)) as stack:
        _show(stack_status, policy, stack.table.switch(), as_json=args.json)
        if stack.table.needs_migration():
            print_message("an earlier version stored a part of the inventory: cascan migrate")


def _policy_to_set(args: Namespace) -> LocalPolicy:
    """Raises: BadInput: an entry of --allow is not a network or domain."""
    from cascan.permissions.scope import Scope
    from cascan.settings import SettingsError

    policy = read_policy(args.state_dir).replace_with(args)
    try:
        Scope.of(policy.allowed_targets, ())
    except SettingsError as exc:
        raise BadInput(f"--allow: {exc}") from exc
    return policy


def _switch(stack_status: Status) -> Switch | None:
    """Whether the stack is halted: from its table while it is up, else from its report bucket."""
    if stack_status.deployed is None:
        return None
    state = StateDir(stack_status.state_dir)
    if stack_status.running is None:
        return read_stored_switch(state.objects, stack_status.deployed["ReportBucketName"])
    use_endpoint(state.endpoint())
    return StackGateways(stack_status.deployed, stays_up=True).table.switch()


def _show(stack_status: Status, policy: LocalPolicy, switch: Switch | None, *, as_json: bool) -> None:
    if as_json:
        print_json(_to_json(stack_status, policy, switch))
        return
    folder, running = stack_status.state_dir, stack_status.running
    if running:
        endpoint = f"{stack_status.endpoint_url} (process {running.pid})"
        print_message(f"the local stack is up at {endpoint}, state in {folder}")
        if running.keep_s is not None:
            print_message(_describe_end(stack_status))
    else:
        print_message(f"no local stack is running; state in {folder}")
        if stack_status.saved_at:
            saved_at = to_wire(stack_status.saved_at)
            print_message(f"commands that only read use the table as it was saved at {saved_at}")
    print_message(f"the stack {policy.sentence()}")
    if switch:
        print_message(describe_halt(switch))


def _describe_end(stack_status: Status) -> str:
    if stack_status.ends_at is None:
        return "a command uses it; it ends a while after the last one. Keep it up with cascan local up"
    return f"it ends at {to_wire(stack_status.ends_at)} unless a command uses it. Keep it up with cascan local up"


def _to_json(stack_status: Status, policy: LocalPolicy, switch: Switch | None) -> dict[str, Any]:
    return {
        "stateDir": str(stack_status.state_dir),
        "endpointUrl": stack_status.endpoint_url,
        "running": _running_to_json(stack_status),
        "savedAt": to_wire(stack_status.saved_at) if stack_status.saved_at else None,
        "allowedTargets": policy.allowed_targets,
        "policyProfile": policy.profile,
        "halted": _halt_to_json(switch) if switch else None,
        "outputs": dict(stack_status.deployed or {}),
    }


def _running_to_json(stack_status: Status) -> dict[str, Any] | None:
    running, ends_at = stack_status.running, stack_status.ends_at
    if running is None:
        return None
    return {
        "pid": running.pid,
        "since": running.since,
        "keepSeconds": running.keep_s,
        "endsAt": to_wire(ends_at) if ends_at else None,
    }


def _halt_to_json(switch: Switch) -> dict[str, Any]:
    return {"since": switch.halted_at, "by": switch.by, "reason": switch.reason, "sender": switch.sender}
