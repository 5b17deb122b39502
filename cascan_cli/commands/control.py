"""`cascan cancel`, `suspend`, `resume`, `halt`: message the stack, and wait for the effect."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from math import inf

from cascan.events.control import Action
from cascan.limits import MAX_LABEL_CHARS
from cascan.model.scan import Scan, ScanState
from cascan.recovery.operator_records import is_switch_recorded
from cascan.scans.close import ENDED_STATES
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.scan import scan_summary
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.control_scan import find_obstacle, send_control
from cascan_cli.stack.find_scan import find_scans_to_act_on
from cascan_cli.stack.open import StackGateways, open_stack

POLL_S = 0.2
EXPLAIN_AFTER_S = 2.0  # a longer wait is explained
MAX_PAUSE_S = 150.0  # the stack closes shards of a cancelled scan at least every second minute
EFFECTS = {
    Action.CANCEL: "cancelled",
    Action.SUSPEND: "suspended; workers stop at their next heartbeat",
    Action.RESUME: "goes on",
}


def run(args: Namespace) -> int:
    """Exit code 0: it took effect. Raises: BadInput: it is not possible, and nothing was sent."""
    action = Action(args.action)
    if len(args.reason) > MAX_LABEL_CHARS:
        raise BadInput(f"--reason is longer than {MAX_LABEL_CHARS} characters")
    with open_stack(args) as stack:
        if action is Action.HALT:
            return _switch(Action.LIFT if args.lift else Action.HALT, stack, args)
        scans = _find_scans(action, stack, args.scans)
        for scan in scans:
            _check(action, scan)
        for scan in scans:
            send_control(action, scan.scan_id, stack, args.reason)
        changed = [_wait_for(action, scan, stack, args) for scan in scans]
    if args.json:
        print_json([scan_summary(scan) for scan in changed])
    return 0


def _find_scans(action: Action, stack: StackGateways, names: Sequence[str]) -> list[Scan]:
    """The scans that the names mean, each once.

    Two submitters may use the same name. A scan that has ended is therefore skipped if another one
    is running.
    """
    scans: dict[str, Scan] = {}
    for name in names:
        for scan in find_scans_to_act_on(stack.table, name, lambda scan: not find_obstacle(action, scan)):
            scans.setdefault(scan.scan_id, scan)
    return list(scans.values())


def _check(action: Action, scan: Scan) -> None:
    """Raises: BadInput: the action is not possible in the state of the scan."""
    obstacle = find_obstacle(action, scan)
    if obstacle:
        raise BadInput(f"scan {scan.scan_id} ({scan.name}) {obstacle}")


def _switch(action: Action, stack: StackGateways, args: Namespace) -> int:
    send_control(action, "", stack, args.reason)
    halted = action is Action.HALT
    _wait(lambda: _is_halted(stack) is halted, f"{action}: sent", args.timeout)
    if args.json:
        print_json({"halted": halted, "switch": stack.table.switch()})
    else:
        print_message(
            "the stack is halted: nothing is scanned until cascan halt --lift" if halted else "the halt has ended"
        )
    return 0


def _is_halted(stack: StackGateways) -> bool | None:
    """None: a stack that ends with this command has not yet backed up the switch in its bucket."""
    switch = stack.table.switch()
    if not stack.stays_up and not is_switch_recorded(switch, stack.operator_records):
        return None
    return switch is not None


def _wait_for(action: Action, scan: Scan, stack: StackGateways, args: Namespace) -> Scan:
    """Wait until the action takes effect. Returns the scan.

    Raises: CliError: it takes longer than --timeout.
    """

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
    if action is Action.CANCEL:
        now = _follow_end(scan, stack, max(args.timeout, MAX_PAUSE_S))
    else:
        now = stack.table.get_scan(scan.scan_id) or scan
    print_message(f"scan {scan.scan_id} ({scan.name}) {_describe_effect(action, now, stays_up=stack.stays_up)}")
    return now


def _describe_effect(action: Action, scan: Scan, *, stays_up: bool) -> str:
    if scan.state in ENDED_STATES and scan.state is not ScanState.CANCELLED:
        return f"was already {scan.state}"
    if action is Action.CANCEL and scan.finished_at is None:
        return f"is cancelled and starts no more shards; {pluralize(scan.shards_open, 'shard')} are still to be closed"
    waits = action is Action.RESUME and not stays_up
    return EFFECTS[action] + (", as long as a local stack is up: cascan local up" if waits else "")


def _follow_end(scan: Scan, stack: StackGateways, patience_s: float) -> Scan:
    """Wait for the end of a cancelled scan, unless none of its shards is closed for `patience_s`.

    Returns the scan.
    """
    now = stack.table.get_scan(scan.scan_id) or scan
    open_shards, progressed_at = now.shards_open, time.monotonic()
    explain_at = progressed_at + EXPLAIN_AFTER_S
    with Progress() as progress:
        while now.finished_at is None and time.monotonic() - progressed_at <= patience_s:
            closed = f"{now.shards - now.shards_open} of {pluralize(now.shards, 'shard')} closed"
            progress.show(f"{now.name}: cancelled, {closed}")
            if time.monotonic() >= explain_at:  # once, even if standard error is not a terminal
                print_message(f"scan {now.scan_id} ({now.name}) is cancelled and starts no more shards; {closed}")
                explain_at = inf
            time.sleep(POLL_S)
            now = stack.table.get_scan(scan.scan_id) or now
            if now.shards_open < open_shards:
                open_shards, progressed_at = now.shards_open, time.monotonic()
    return now


def _wait(took_effect: Callable[[], bool], sentence: str, timeout_s: float) -> None:
    """Raises: CliError: it takes longer than `timeout_s`."""
    started = time.monotonic()
    with Progress() as progress:
        while not took_effect():
            if time.monotonic() - started > timeout_s:
                raise CliError(
                    f"no effect within {timeout_s:g} s: see the log of on_control_requested and its dead-letter queue"
                )
            progress.show(sentence)
            time.sleep(POLL_S)
