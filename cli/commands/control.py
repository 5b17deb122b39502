"""`cascan cancel`, `suspend`, `resume` and `halt`: a message to the stack, and a wait until it took effect."""

from __future__ import annotations

import getpass
import time
from argparse import Namespace
from collections.abc import Callable

from cascan.closing import ENDED
from cascan.control import Action, ControlRequested
from cascan.house_records import is_kept
from cascan.limits import MAX_LABEL_CHARS
from cascan.model.scan import Scan, ScanState
from cli.access import Access, access
from cli.errors import BadInput, CliError
from cli.lookup import find_scan
from cli.show import Progress, print_json, say
from cli.telling import scan_summary

POLL_S = 0.2
DONE = {
    Action.CANCEL: "cancelled",
    Action.SUSPEND: "suspended; workers stop with their next heartbeat",
    Action.RESUME: "goes on",
}


def run(args: Namespace) -> int:
    """Exit code 0: it took effect. Raises: BadInput: it cannot; nothing was sent."""
    action = Action(args.action)
    if len(args.reason) > MAX_LABEL_CHARS:
        raise BadInput(f"--reason has at most {MAX_LABEL_CHARS} characters")
    with access(args) as stack:
        if action is Action.HALT:
            return _switch(Action.LIFT if args.lift else Action.HALT, stack, args)
        scans = [find_scan(stack.table, asked) for asked in args.scans]
        for scan in scans:
            _check(action, scan)
        for scan in scans:
            _send(action, scan.scan_id, stack, args)
        ended = [_wait_for(action, scan, stack, args) for scan in scans]
    if args.json:
        print_json([scan_summary(scan) for scan in ended])
    return 0


def _check(action: Action, scan: Scan) -> None:
    """Raises: BadInput: what is asked makes no sense for the scan as it is."""
    what = f"scan {scan.scan_id} ({scan.name})"
    if scan.state in ENDED:
        raise BadInput(f"{what} has ended, it is {scan.state}: there is nothing to {action}")
    if action is Action.RESUME and scan.state is not ScanState.SUSPENDED:
        raise BadInput(f"{what} is not suspended, it is {scan.state}")


def _switch(action: Action, stack: Access, args: Namespace) -> int:
    _send(action, "", stack, args)
    halted = action is Action.HALT
    _wait(lambda: _is_halted(stack) is halted, f"{action}: sent", args.timeout)
    if args.json:
        print_json({"halted": halted, "switch": stack.table.switch()})
    else:
        say("the stack is halted: nothing is scanned until cascan halt --lift" if halted else "the stack goes on")
    return 0


def _is_halted(stack: Access) -> bool | None:
    """None: a stack that ends with this command has yet to keep beside the reports what its table says."""
    switch = stack.table.switch()
    if not stack.stays_up and not is_kept(switch, stack.house):
        return None
    return switch is not None


def _send(action: Action, scan_id: str, stack: Access, args: Namespace) -> None:
    asked = ControlRequested(action=action, scan_id=scan_id, by=getpass.getuser(), reason=args.reason)
    stack.controls.send(asked.to_wire())


def _wait_for(action: Action, scan: Scan, stack: Access, args: Namespace) -> Scan:
    def took_effect() -> bool:
        now = stack.table.get_scan(scan.scan_id) or scan
        match action:
            case Action.CANCEL:
                return now.state in ENDED and now.finished_at is not None
            case Action.SUSPEND:
                return now.state is ScanState.SUSPENDED or now.state in ENDED
            case _:
                return now.state is not ScanState.SUSPENDED

    _wait(took_effect, f"{action} {scan.scan_id}: sent", args.timeout)
    now = stack.table.get_scan(scan.scan_id) or scan
    too_late = now.state in ENDED and now.state is not ScanState.CANCELLED
    done = f"was {now.state} by then" if too_late else DONE[action]
    if action is Action.RESUME and not stack.stays_up and not too_late:
        done += ", while a local stack is up: cascan local up"
    say(f"scan {scan.scan_id} ({scan.name}) {done}")
    return now


def _wait(took_effect: Callable[[], bool], sentence: str, timeout_s: float) -> None:
    """Raises: CliError: not within `timeout_s`."""
    started = time.monotonic()
    with Progress() as progress:
        while not took_effect():
            if time.monotonic() - started > timeout_s:
                raise CliError(
                    f"no effect within {timeout_s:g} s: see the log of on_control_requested, and its dead-letter queue"
                )
            progress.show(sentence)
            time.sleep(POLL_S)
