"""`cascan local up|down|status`: the stack on this machine, for longer than one command."""

from __future__ import annotations

from argparse import Namespace

from cli.access import access, local_parameters
from cli.errors import BadInput
from cli.local.policy import LocalPolicy, store_policy, stored_policy
from cli.local.stack import Status, down, status, up
from cli.show import print_json, say


def run(args: Namespace) -> int:
    if args.action == "up":
        policy = _policy_to_set(args)
        found = up(args.state_dir, local_parameters(policy))
        store_policy(args.state_dir, policy)
        with access(Namespace(stack=None, state_dir=args.state_dir)):  # rebuilds what a hard kill took
            _show(found, policy, as_json=args.json)
    elif args.action == "status":
        _show(status(args.state_dir), stored_policy(args.state_dir), as_json=args.json)
    else:
        say("the local stack has ended" if down(args.state_dir) else "no local stack was running")
    return 0


def _policy_to_set(args: Namespace) -> LocalPolicy:
    """Raises: BadInput: an entry of --allow is no network or domain."""
    from cascan.scope import Scope
    from cascan.settings import SettingsError

    policy = stored_policy(args.state_dir).replaced(args)
    try:
        Scope.of(policy.allowed_targets, ())
    except SettingsError as exc:
        raise BadInput(f"--allow: {exc}") from exc
    return policy


def _show(found: Status, policy: LocalPolicy, *, as_json: bool) -> None:
    if as_json:
        running = {"pid": found.running.pid, "since": found.running.since} if found.running else None
        print_json(
            {
                "stateDir": str(found.state_dir),
                "endpointUrl": found.endpoint_url,
                "running": running,
                "allowedTargets": policy.allowed_targets,
                "policyProfile": policy.profile,
                "outputs": dict(found.deployed or {}),
            }
        )
    elif found.running:
        say(f"the local stack is up at {found.endpoint_url} (process {found.running.pid}), state in {found.state_dir}")
    else:
        say(f"no local stack is running; state in {found.state_dir}")
    if not as_json:
        say(f"the stack {policy.sentence()}")
