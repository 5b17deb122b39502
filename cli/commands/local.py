"""`cascan local up|down|status`: the stack on this machine, for longer than one command."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cli.access import Access, access, local_parameters
from cli.halted import halt_sentence, kept_switch
from cli.local.aws import turn_to
from cli.local.stack import Status, down, status, up
from cli.local.state import StateDir
from cli.show import print_json, say

if TYPE_CHECKING:
    from cascan.model.agenda import Switch


def run(args: Namespace) -> int:
    if args.action == "up":
        found = up(args.state_dir, local_parameters(args))
        with access(args) as stack:  # rebuilds what a hard kill took
            _show(found, stack.table.switch(), as_json=args.json)
    elif args.action == "status":
        found = status(args.state_dir)
        _show(found, _switch(found), as_json=args.json)
    else:
        say("the local stack has ended" if down(args.state_dir) else "no local stack was running")
    return 0


def _switch(found: Status) -> Switch | None:
    """That the stack is halted: from its table while it is up, else from what is kept beside the reports."""
    if found.deployed is None:
        return None
    state = StateDir(found.state_dir)
    if found.running is None:
        return kept_switch(state.objects, found.deployed["ReportBucketName"])
    turn_to(state.endpoint())
    return Access(found.deployed, stays_up=True).table.switch()


def _show(found: Status, switch: Switch | None, *, as_json: bool) -> None:
    if as_json:
        running = {"pid": found.running.pid, "since": found.running.since} if found.running else None
        print_json(
            {
                "stateDir": str(found.state_dir),
                "endpointUrl": found.endpoint_url,
                "running": running,
                "halted": {"since": switch.halted_at, "by": switch.by, "reason": switch.reason} if switch else None,
                "outputs": dict(found.deployed or {}),
            }
        )
        return
    if found.running:
        say(f"the local stack is up at {found.endpoint_url} (process {found.running.pid}), state in {found.state_dir}")
    else:
        say(f"no local stack is running; state in {found.state_dir}")
    if switch:
        say(halt_sentence(switch))
