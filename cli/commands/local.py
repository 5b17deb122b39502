"""`cascan local up|down|status`: the stack on this machine, for longer than one command."""

from __future__ import annotations

from argparse import Namespace

from cli.access import access, local_parameters
from cli.local.stack import Status, down, status, up
from cli.show import print_json, say


def run(args: Namespace) -> int:
    if args.action == "up":
        found = up(args.state_dir, local_parameters(args))
        with access(args):  # rebuilds what a hard kill took
            _show(found, as_json=args.json)
    elif args.action == "status":
        _show(status(args.state_dir), as_json=args.json)
    else:
        say("the local stack has ended" if down(args.state_dir) else "no local stack was running")
    return 0


def _show(found: Status, *, as_json: bool) -> None:
    if as_json:
        running = {"pid": found.running.pid, "since": found.running.since} if found.running else None
        print_json(
            {
                "stateDir": str(found.state_dir),
                "endpointUrl": found.endpoint_url,
                "running": running,
                "outputs": dict(found.deployed or {}),
            }
        )
    elif found.running:
        say(f"the local stack is up at {found.endpoint_url} (process {found.running.pid}), state in {found.state_dir}")
    else:
        say(f"no local stack is running; state in {found.state_dir}")
