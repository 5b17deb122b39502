"""What becomes of a scan whose command is interrupted or times out.

On a stack that stays up, the scan goes on. A local stack that ends with the command cannot run it
any longer: the scan is suspended, and the results of finished hosts are kept.
"""

from __future__ import annotations

import getpass
import signal
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from cascan_cli.errors import NotEnded
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from types import FrameType

    from cascan.model.scan import Scan
    from cascan_cli.stack.open import StackGateways

POLL_S = 0.1
PLANNED_WITHIN_S = 5.0
SUSPENDED_WITHIN_S = 15.0  # for all scans together; a second Ctrl-C ends the wait
REASON = "the command that waited for it was interrupted"


class Interrupted(KeyboardInterrupt):
    """A signal that ends a command as Ctrl-C does.

    `reported`: what becomes of the scan has been printed. `latest`: the signal that this process received
    last, for callers of a library that raises an exception of its own instead of ours.
    """

    latest: ClassVar[int] = signal.SIGINT

    def __init__(self, number: int = signal.SIGINT, *, reported: bool = False) -> None:
        super().__init__()
        self.number = number
        self.reported = reported

    @property
    def exit_code(self) -> int:
        """The exit code that shells use: 130 after Ctrl-C."""
        return 128 + self.number


def interrupt_on_signals() -> None:
    """Treat SIGTERM and SIGHUP like Ctrl-C, unless our parent has set them to be ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    Interrupted.latest = number
    raise Interrupted(number)


@contextmanager
def report_request_sent() -> Iterator[None]:
    """If the block is interrupted before it has printed what becomes of its scan, print that it was requested.

    Raises: Interrupted: the block was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as exc:
        interrupted = exc if isinstance(exc, Interrupted) else Interrupted()
        if not interrupted.reported:
            print_message("interrupted; the scan was requested: cascan scans lists it")
        raise Interrupted(interrupted.number, reported=True) from exc


@contextmanager
def report_interruption(scan_ids: Sequence[str], stack: StackGateways, args: Namespace) -> Iterator[None]:
    """If the block is interrupted or times out, say what becomes of the scans.

    The block may change `scan_ids`: those count that are in it at the end.

    Raises: Interrupted: the block was interrupted. NotEnded: raised by the block.
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
    """Say for each scan what becomes of it; suspend it first if the stack ends with this command."""
    from cascan.errors import GatewayUnavailable  # here, because every command imports this module

    with suppress(GatewayUnavailable):  # the stack ended before this command
        if stack.stays_up:
            for scan_id in scan_ids:
                _print_state(scan_id, stack.table.get_scan(scan_id), args)
        else:
            _leave_ending_stack(scan_ids, stack, args)


def _leave_ending_stack(scan_ids: Sequence[str], stack: StackGateways, args: Namespace) -> None:
    print_message("suspending the scan, since the local stack does not stay up; Ctrl-C skips that")
    scans = _suspend(scan_ids, stack)
    for scan_id in scan_ids:
        _print_state(scan_id, scans.get(scan_id), args, stack_ends=True)


def _suspend(scan_ids: Sequence[str], stack: StackGateways) -> dict[str, Scan]:
    """Suspend the scans.

    Returns them once none is under way, or as they are when that takes too long.
    """
    from cascan.model.scan import UNDER_WAY

    started, requested = time.monotonic(), set[str]()
    while True:
        scans = _read_scans(scan_ids, stack)
        under_way = {scan_id for scan_id, scan in scans.items() if scan.state in UNDER_WAY}
        for scan_id in under_way - requested:
            _request_suspension(scan_id, stack)
        requested |= under_way
        are_all_planned = len(scans) == len(scan_ids)
        idle_limit_s = 0.0 if are_all_planned else PLANNED_WITHIN_S
        if time.monotonic() - started >= (SUSPENDED_WITHIN_S if under_way else idle_limit_s):
            return scans
        time.sleep(POLL_S)


def _read_scans(scan_ids: Sequence[str], stack: StackGateways) -> dict[str, Scan]:
    """Those of the scans that are planned."""
    scans = map(stack.table.get_scan, scan_ids)
    return {scan.scan_id: scan for scan in scans if scan}


def _request_suspension(scan_id: str, stack: StackGateways) -> None:
    from cascan.events.control import Action, ControlRequested

    request = ControlRequested(action=Action.SUSPEND, scan_id=scan_id, by=getpass.getuser(), reason=REASON)
    stack.control_queue.send(request.to_wire())


def _print_state(scan_id: str, scan: Scan | None, args: Namespace, *, stack_ends: bool = False) -> None:
    """Print what becomes of the scan, and the commands to look at it, to continue it and to end it."""
    label = f"scan {scan_id} ({scan.name})" if scan else f"scan {scan_id}"
    print_message(f"{label} {_describe_state(scan_id, scan, args, stack_ends=stack_ends)}")


def _describe_state(scan_id: str, scan: Scan | None, args: Namespace, *, stack_ends: bool) -> str:
    from cascan.clock import to_wire, utc_now
    from cascan.model.scan import ScanState
    from cascan.scans.close import ENDED_STATES
    from cascan_cli.output.scan import next_opening

    options = _stack_options(args)
    findings = f"its findings: cascan findings {scan_id}{options}"
    end = f"end it: cascan cancel {scan_id}{options}"
    up = f"cascan local up{options}"
    if scan and scan.state in ENDED_STATES:
        return f"has ended, it is {scan.state}; {findings}"
    if scan and scan.state is ScanState.SUSPENDED:
        resume = f"cascan resume {scan_id}{options}"
        return f"is suspended; continue it: {f'{up}, then ' if stack_ends else ''}{resume}; {end}"
    if stack_ends:
        state = f"is {scan.state}" if scan else "is queued"
        return f"{state}, and goes on when the local stack is up again: {up}; {end}"
    opens_at = next_opening(scan, utc_now()) if scan else None
    if scan and opens_at:
        return f"is outside its windows, and goes on at {to_wire(opens_at)}; {end}"
    state = f"goes on, it is {scan.state}" if scan else "is queued and goes on"
    return f"{state}; {findings}; {end}"


def _stack_options(args: Namespace) -> str:
    """The options with which another command finds the same stack."""
    options = (
        ("--stack", getattr(args, "stack", None)),
        ("--state-dir", getattr(args, "state_dir", None)),
    )
    return "".join(f" {name} {quote(str(value))}" for name, value in options if value)
