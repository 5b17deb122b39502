"""A command that leaves before its scan ends (Ctrl-C, a closed terminal, --timeout): what becomes of the scan.

On a stack that stays up the scan goes on. One that ends with the command has nobody left to run it: the scan is
suspended, so that its state says so, and what nmap has finished is kept.
"""

from __future__ import annotations

import getpass
import signal
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from shlex import quote
from typing import TYPE_CHECKING

from cascan.errors import GatewayUnavailable
from cascan_cli.errors import NotEnded
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from types import FrameType

    from cascan.model.scan import Scan
    from cascan_cli.stack.open import StackGateways

POLL_S = 0.1
PLANNED_WITHIN_S = 5.0
SUSPENDED_WITHIN_S = 15.0  # of all scans together; another Ctrl-C ends the wait
REASON = "the command that followed it was interrupted"


class Interrupted(KeyboardInterrupt):
    """A signal that ends a command as Ctrl-C does. `reported`: the person knows what becomes of the scan."""

    def __init__(self, number: int = signal.SIGINT, *, reported: bool = False) -> None:
        super().__init__()
        self.number = number
        self.reported = reported

    @property
    def exit_code(self) -> int:
        """As a shell has it: 130 after Ctrl-C."""
        return 128 + self.number


def interrupt_on_signals() -> None:
    """End as after Ctrl-C when we are terminated or the terminal closes, unless whoever started us ignores that."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def report_interruption(scan_ids: Sequence[str], stack: StackGateways, args: Namespace) -> Iterator[None]:
    """Say what becomes of the scans, which the block may exchange for others, when it is left before they end.

    Raises: Interrupted: the block was. NotEnded: by the block.
    """
    try:
        yield
    except KeyboardInterrupt as exc:
        number = exc.number if isinstance(exc, Interrupted) else signal.SIGINT
        print_message("interrupted")
        _leave(scan_ids, stack, args)
        raise Interrupted(number, reported=True) from exc
    except NotEnded:
        _leave(scan_ids, stack, args)
        raise


def _leave(scan_ids: Sequence[str], stack: StackGateways, args: Namespace) -> None:
    """Say of each scan what becomes of it; suspend it first where the stack ends with this command."""
    with suppress(GatewayUnavailable):  # the stack ended before us
        _leave_running_stack(scan_ids, stack, args)


def _leave_running_stack(scan_ids: Sequence[str], stack: StackGateways, args: Namespace) -> None:
    if stack.stays_up:
        for scan_id in scan_ids:
            _say_where_it_is(scan_id, stack.table.get_scan(scan_id), args)
        return
    print_message("suspending the scan, since the local stack ends with this command; Ctrl-C ends it at once")
    scans = _suspended(scan_ids, stack)
    for scan_id in scan_ids:
        _say_where_it_is(scan_id, scans.get(scan_id), args, goes_on=False)


def _suspended(scan_ids: Sequence[str], stack: StackGateways) -> dict[str, Scan]:
    """The scans as they are once nothing of them is under way, or as they are when that takes too long."""
    from cascan.events.control import Action, ControlRequested
    from cascan.model.scan import UNDER_WAY

    started, asked = time.monotonic(), set[str]()
    while True:
        found = {scan_id: stack.table.get_scan(scan_id) for scan_id in scan_ids}
        scans = {scan_id: scan for scan_id, scan in found.items() if scan}
        under_way = {scan_id for scan_id, scan in scans.items() if scan.state in UNDER_WAY}
        for scan_id in under_way - asked:
            wanted = ControlRequested(action=Action.SUSPEND, scan_id=scan_id, by=getpass.getuser(), reason=REASON)
            stack.control_queue.send(wanted.to_wire())
        asked |= under_way
        waited_s = time.monotonic() - started
        missing_s = 0.0 if len(scans) == len(scan_ids) else PLANNED_WITHIN_S
        if waited_s >= (SUSPENDED_WITHIN_S if under_way else missing_s):
            return scans
        time.sleep(POLL_S)


def _say_where_it_is(scan_id: str, scan: Scan | None, args: Namespace, *, goes_on: bool = True) -> None:
    from cascan.model.scan import ScanState
    from cascan.scans.close import ENDED_STATES

    cancel, look = (f"cascan {verb} {scan_id}{_where(args)}" for verb in ("cancel", "findings"))
    up, resume = f"cascan local up{_where(args)}", f"cascan resume {scan_id}{_where(args)}"
    what = f"scan {scan_id} ({scan.name})" if scan else f"scan {scan_id}"
    if scan and scan.state in ENDED_STATES:
        print_message(f"{what} has ended, it is {scan.state}; its findings: {look}")
    elif scan and scan.state is ScanState.SUSPENDED:
        first = "" if goes_on else f"{up}, then "
        print_message(f"{what} is suspended; go on with it: {first}{resume}; end it: {cancel}")
    elif goes_on:
        state = f"goes on, it is {scan.state}" if scan else "is queued and goes on"
        print_message(f"{what} {state}; its findings: {look}; end it: {cancel}")
    else:
        state = f"is {scan.state}" if scan else "is queued"
        print_message(f"{what} {state}, and goes on when the local stack is next up: {up}; end it: {cancel}")


def _where(args: Namespace) -> str:
    """The options by which another command finds the same stack."""
    options = (("--stack", getattr(args, "stack", None)), ("--state-dir", getattr(args, "state_dir", None)))
    return "".join(f" {name} {quote(str(value))}" for name, value in options if value)
