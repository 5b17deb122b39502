"""`cascan cancel`, `suspend`, `resume` and `halt`: a message to the stack, and a wait until it took effect."""

from __future__ import annotations

import getpass
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from math import inf

from cascan.events.control import Action, ControlRequested
from cascan.limits import MAX_LABEL_CHARS
from cascan.model.scan import Scan, ScanState
from cascan.recovery.operator_records import is_switch_recorded
from cascan.scans.close import ENDED_STATES
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.scan import scan_summary
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.find_scan import find_scans_to_act_on
from cascan_cli.stack.open import StackGateways, open_stack

POLL_S = 0.2
TELL_AFTER_S = 2.0  # a wait that is longer says what it waits for
TURNS_WITHIN_S = 150.0  # two ticks and more: so long may pass between two turns at a scan that is cancelled
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
    with open_stack(args) as stack:
        if action is Action.HALT:
            return _switch(Action.LIFT if args.lift else Action.HALT, stack, args)
        scans = _find(action, stack, args.scans)
        for scan in scans:
            _check(action, scan)
        for scan in scans:
            _send(action, scan.scan_id, stack, args)
        ended = [_wait_for(action, scan, stack, args) for scan in scans]
    if args.json:
        print_json([scan_summary(scan) for scan in ended])
    return 0


def _find(action: Action, stack: StackGateways, asked: Sequence[str]) -> list[Scan]:
    """Every scan that is meant, once. Two submitters may use one name: an ended scan never stands for one that runs."""
    found: dict[str, Scan] = {}
    for one in asked:
        for scan in find_scans_to_act_on(stack.table, one, lambda scan: not _why_not(action, scan)):
            found.setdefault(scan.scan_id, scan)
    return list(found.values())


def _check(action: Action, scan: Scan) -> None:
    """Raises: BadInput: what is asked makes no sense for the scan as it is."""
    if why_not := _why_not(action, scan):
        raise BadInput(f"scan {scan.scan_id} ({scan.name}) {why_not}")


def _why_not(action: Action, scan: Scan) -> str:
    """Why that cannot be done to the scan as it is; empty: it can."""
    if scan.state in ENDED_STATES:
        return f"has ended, it is {scan.state}: there is nothing to {action}"
    if action is Action.RESUME and scan.state is not ScanState.SUSPENDED:
        return f"is not suspended, it is {scan.state}"
    return ""


def _switch(action: Action, stack: StackGateways, args: Namespace) -> int:
    _send(action, "", stack, args)
    halted = action is Action.HALT
    _wait(lambda: _is_halted(stack) is halted, f"{action}: sent", args.timeout)
    if args.json:
        print_json({"halted": halted, "switch": stack.table.switch()})
    else:
        print_message(
            "the stack is halted: nothing is scanned until cascan halt --lift" if halted else "the stack goes on"
        )
    return 0


def _is_halted(stack: StackGateways) -> bool | None:
    """None: a stack that ends with this command has yet to keep beside the reports what its table says."""
    switch = stack.table.switch()
    if not stack.stays_up and not is_switch_recorded(switch, stack.operator_records):
        return None
    return switch is not None


def _send(action: Action, scan_id: str, stack: StackGateways, args: Namespace) -> None:
    asked = ControlRequested(action=action, scan_id=scan_id, by=getpass.getuser(), reason=args.reason)
    stack.control_queue.send(asked.to_wire())


def _wait_for(action: Action, scan: Scan, stack: StackGateways, args: Namespace) -> Scan:
    """The scan, once the action took effect. Raises: CliError: it did not within the time-out."""

    def took_effect() -> bool:
        now = stack.table.get_scan(scan.scan_id) or scan
        match action:
            case Action.CANCEL:
                return now.state in ENDED_STATES
            case Action.SUSPEND:
                return now.state is ScanState.SUSPENDED or now.state in ENDED_STATES
            case _:
                return now.state is not ScanState.SUSPENDED

    _wait(took_effect, f"{action} {scan.scan_id}: sent", args.timeout)
    now = _follow_end(scan, stack, max(args.timeout, TURNS_WITHIN_S)) if action is Action.CANCEL else None
    now = now or stack.table.get_scan(scan.scan_id) or scan
    print_message(f"scan {scan.scan_id} ({scan.name}) {_said_of(action, now, stays_up=stack.stays_up)}")
    return now


def _said_of(action: Action, scan: Scan, *, stays_up: bool) -> str:
    if scan.state in ENDED_STATES and scan.state is not ScanState.CANCELLED:
        return f"was {scan.state} by then"
    if action is Action.CANCEL and scan.finished_at is None:
        return (
            f"cancelled: nothing of it starts any more; {pluralize(scan.shards_open, 'shard')} are still to be closed"
        )
    waits = action is Action.RESUME and not stays_up
    return DONE[action] + (", while a local stack is up: cascan local up" if waits else "")


def _follow_end(scan: Scan, stack: StackGateways, patience_s: float) -> Scan:
    """The cancelled scan at its end; or as it is, when none of its shards was closed for `patience_s`."""
    now = stack.table.get_scan(scan.scan_id) or scan
    still_open, since = now.shards_open, time.monotonic()
    tell_at = since + TELL_AFTER_S
    with Progress() as progress:
        while now.finished_at is None and time.monotonic() - since <= patience_s:
            closed = f"{now.shards - now.shards_open} of {pluralize(now.shards, 'shard')} closed"
            progress.show(f"{now.name}: cancelled, {closed}")
            if time.monotonic() >= tell_at:  # once, also where nobody watches
                print_message(
                    f"scan {now.scan_id} ({now.name}) is cancelled, and nothing of it starts any more; {closed}"
                )
                tell_at = inf
            time.sleep(POLL_S)
            now = stack.table.get_scan(scan.scan_id) or now
            if now.shards_open < still_open:
                still_open, since = now.shards_open, time.monotonic()
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
