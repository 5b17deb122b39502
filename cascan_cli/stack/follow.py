"""Send a request, follow its scan to the end, and print the result."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import to_wire
from cascan.findings.to_json import scan_fields, to_json
from cascan.ids import digest_body
from cascan.queries.finding_query import list_addresses
from cascan.queries.read_findings import read_findings
from cascan_cli.errors import CliError, NotEnded
from cascan_cli.local.state import StateDir
from cascan_cli.output.findings import print_findings
from cascan_cli.output.scan import (
    EXIT_DONE,
    describe_state,
    print_outcome,
    report_keys,
    scan_exit_code,
    scan_summary,
)
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.fail_on import apply_conditions
from cascan_cli.stack.health import StackWatch, describe_halt
from cascan_cli.stack.interruption import report_interruption, report_request_sent
from cascan_cli.stack.open import StackGateways
from cascan_cli.stack.scan_ids import expected_scan_id, possible_scan_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cascan.gateways import Scans
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan
    from cascan_cli.stack.scan_display import ScanDisplay, WatchedScans

POLL_S = (0.02,) * 25 + (0.1,) * 20 + (0.25,)  # the pauses between polls; the last one repeats
HEALTH_AFTER_POLLS = 25  # half a second: most short scans are done by then
DISPLAY_AFTER_POLLS = 35  # a second and a half: to open it takes imports and queries
PLANNED_WITHIN_S = 60.0  # if a request is not planned by then, the stack does not work


def submit_and_follow(body: str, stack: StackGateways, args: Namespace) -> int:
    """Returns the exit code. Raises: CliError: the scan did not end in time."""
    message_id = stack.request_queue.send(body)
    with report_request_sent():
        return follow_request(body, message_id, stack, args)


def follow_request(body: str, message_id: str, stack: StackGateways, args: Namespace) -> int:
    """Follow a request that was sent as this message. Returns the exit code, and raises, as above."""
    if args.no_wait:
        _print_accepted(expected_scan_id(body, message_id, stack), stack, as_json=args.json)
        return EXIT_DONE
    scan_ids = possible_scan_ids(body, message_id, stack)
    open_ids = [expected_scan_id(body, message_id, stack)]
    with report_interruption(open_ids, stack, args):
        digest = digest_body(body)

        def read_scan() -> Scan | None:
            return find_by_digest(scan_ids, digest, stack.table)

        scan = wait_for_end(read_scan, stack.table, args.timeout, watch_stack(stack, args))
        followed = wait_for_cascade(scan, stack, args.timeout, open_ids)
    findings = list(read_findings(scan, stack.table))
    if args.json:
        reports = [stack.uri(str(key)) for key in report_keys(scan, stack.table)]
        documents = [to_json(finding, scan_fields(scan)) for finding in findings]
        print_json({"scan": scan_summary(scan), "findings": documents, "reports": reports})
    else:
        print_findings(findings)
        print_outcome(scan, stack)
        notes = (repeat_note(scan, message_id), own_port_note(findings, stack))
        for note in filter(None, notes):
            print_message(f"note: {note}")
        if followed:
            print_message(f"{pluralize(followed, 'scan')} followed it: cascan tree {scan.scan_id}")
    return apply_conditions(scan_exit_code(scan), scan, findings, stack.table, args.fail_on)


def watch_stack(stack: StackGateways, args: Namespace) -> StackWatch:
    """What notices that the stack is halted, or its disk full, while a scan is waited for."""
    return StackWatch(stack.table, StateDir(args.state_dir).root if stack.is_local else None)


def repeat_note(scan: Scan, message_id: str) -> str:
    """A note if the result belongs to an earlier request with the same idempotencyKey; else empty."""
    if scan.cause_id == message_id:
        return ""
    requested_at = to_wire(scan.requested_at)
    return f"this request was already sent under its idempotencyKey at {requested_at}; it was not scanned again"


def own_port_note(findings: Iterable[Finding], stack: StackGateways) -> str:
    """A note if the scan found the local stack itself; else empty."""
    from cascan.nmap.addresses import is_loopback

    if stack.own_port is None:
        return ""
    on_own_port = [finding for finding in findings if finding.attributes.get("port") == stack.own_port]
    addresses = {address for finding in on_own_port for address in list_addresses(finding)}
    return f"port {stack.own_port} is the local stack itself" if any(map(is_loopback, addresses)) else ""


def wait_for_cascade(scan: Scan, stack: StackGateways, timeout_s: float, open_ids: list[str]) -> int:
    """Wait for the scans that follow `scan`, and return their number.

    A stack that stays up finishes them by itself: the result is then 0, without waiting. `open_ids` is kept up to
    date with the scans that have not ended.

    Raises: CliError: they have not ended after `timeout_s`.
    """
    if stack.stays_up or scan.request is None or scan.request.cascades is None:
        return 0
    polls, children = _Polls(), 0
    open_ids[:] = [scan.scan_id]
    with Progress() as progress:
        while True:
            children += _replace_ended(open_ids, stack)
            progress.show(f"{pluralize(children, 'scan')} followed, {len(open_ids)} open")
            if not open_ids:
                return children
            if polls.waited_s > timeout_s:
                raise NotEnded(f"the cascade has not ended after {timeout_s:g} s: cascan tree {scan.scan_id}")
            polls.wait()


def _replace_ended(open_ids: list[str], stack: StackGateways) -> int:
    """Replace each scan that has ended by its children and members. Returns the number of children."""
    from cascan.model.scan import FINAL_STATES

    count = 0
    for scan_id in list(open_ids):
        scan = stack.table.get_scan(scan_id)
        if scan is None or scan.state not in FINAL_STATES:
            continue
        # A scan requests its children before it is Done: there will be no more of them.
        children = {child.scan_id for child in stack.cascades.cascade_children(scan_id) if child.scan_id}
        count += len(children)
        open_ids[:] = sorted({*open_ids, *children, *scan.members} - {scan_id})
    return count


def wait_for_end(
    read_scan: Callable[[], Scan | None], table: WatchedScans, timeout_s: float, watch: StackWatch
) -> Scan:
    """Wait until the scan that `read_scan` returns is in a final state, or suspended. Show its progress meanwhile.

    None: it is not planned yet.

    Raises: CliError: it is not planned within PLANNED_WITHIN_S, or has not ended after `timeout_s`.
    """
    # Imported while the request is on its way.
    from cascan.limits import PROGRESS_LINE_EVERY_S
    from cascan.model.scan import FINAL_STATES, ScanState

    polls, display = _Polls(), None
    with Progress(PROGRESS_LINE_EVERY_S) as progress:
        while True:
            scan = read_scan()
            if scan and scan.state in (*FINAL_STATES, ScanState.SUSPENDED):
                return scan
            _check_patience(scan, polls.waited_s, timeout_s)
            if polls.count >= HEALTH_AFTER_POLLS:
                watch.look()
            if scan and polls.count >= DISPLAY_AFTER_POLLS and progress.is_due:
                display = display or _open_display(table, progress)
                progress.show(display.describe(scan, is_halted=watch.halted))
            else:
                state = f"{scan.name}: {describe_state(scan)}" if scan else "queued"
                progress.show(f"halted; {state}" if watch.halted else state)
            polls.wait()


def _open_display(table: WatchedScans, progress: Progress) -> ScanDisplay:
    from cascan_cli.stack.scan_display import ScanDisplay  # imported here: short scans do not need it

    return ScanDisplay(table, progress)


class _Polls:
    """Counts polls, and pauses between them."""

    def __init__(self) -> None:
        self.count = 0
        self._started = time.monotonic()

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self._started

    def wait(self) -> None:
        time.sleep(POLL_S[min(self.count, len(POLL_S) - 1)])
        self.count += 1


def find_by_digest(scan_ids: list[str], digest: str, table: Scans) -> Scan | None:
    """Of these scans, the one whose request has the digest. None: it is not planned yet."""
    scans = map(table.get_scan, scan_ids)
    return next((scan for scan in scans if scan and scan.request_digest == digest), None)


def _check_patience(scan: Scan | None, waited_s: float, timeout_s: float) -> None:
    """Raises: CliError: it is not planned in time. NotEnded: it takes longer than `timeout_s`."""
    if scan is None and waited_s > PLANNED_WITHIN_S:
        raise CliError("the request was not planned: see the log of on_scan_requested and its dead-letter queue")
    if waited_s > timeout_s:
        raise NotEnded(f"the scan has not ended after {timeout_s:g} s")


def _print_accepted(scan_id: str, stack: StackGateways, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": scan_id})
    else:
        print(scan_id)
    if switch := stack.table.switch():
        print_message(describe_halt(switch))
    if not stack.stays_up:
        print_message("queued; it runs once the local stack is up (cascan local up)")
