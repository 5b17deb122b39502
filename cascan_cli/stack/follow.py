"""Send a request, watch its scan to the end, print what came of it."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import to_wire
from cascan.findings.to_json import scan_fields, to_json
from cascan.ids import digest_body
from cascan_cli.errors import CliError, NotEnded
from cascan_cli.local.state import StateDir
from cascan_cli.output.scan import (
    EXIT_DONE,
    finding_addresses,
    is_loopback,
    print_findings,
    print_outcome,
    report_uris,
    running_progress,
    scan_exit_code,
    scan_progress,
    scan_summary,
)
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.health import StackWatch, describe_halt
from cascan_cli.stack.interruption import report_interruption
from cascan_cli.stack.open import StackGateways
from cascan_cli.stack.scan_ids import expected_scan_id, possible_scan_ids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cascan.gateways import ScanTable
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan

POLL_S = (0.02,) * 25 + (0.1,) * 20 + (0.25,)  # from the first look on; the last one repeats
WATCH_AFTER_LOOKS = 25  # a scan that is done within half a second need not ask
POLLS_A_BEAT = 20  # shards say how far they are every few seconds; asking is a query
MAX_SHARDS_ASKED = 200  # of a scan with more shards their number says enough
PLANNED_WITHIN_S = 60.0  # a message that nobody planned by then: the stack is not working


def submit_and_follow(body: str, stack: StackGateways, args: Namespace) -> int:
    """The exit code. Raises: CliError: the scan did not end in time."""
    message_id = stack.request_queue.send(body)
    if args.no_wait:
        _print_accepted(expected_scan_id(body, message_id, stack), stack, as_json=args.json)
        return EXIT_DONE
    scan_ids = possible_scan_ids(body, message_id, stack)
    open_ids = [expected_scan_id(body, message_id, stack)]
    with report_interruption(open_ids, stack, args):
        disk = StateDir(args.state_dir).root if stack.is_local else None
        scan = wait_for_end(scan_ids, digest_body(body), stack, args.timeout, StackWatch(stack.table, disk))
        followed = wait_for_cascade(scan, stack, args.timeout, open_ids)
    findings = list(stack.table.findings(scan.scan_id))
    if args.json:
        reports = report_uris(scan.scan_id, stack)
        said = [to_json(finding, scan_fields(scan)) for finding in findings]
        print_json({"scan": scan_summary(scan), "findings": said, "reports": reports})
    else:
        print_findings(findings)
        print_outcome(scan, stack)
        for note in filter(None, (repeat_note(scan, message_id), own_port_note(findings, stack))):
            print_message(f"note: {note}")
        if followed:
            print_message(f"{pluralize(followed, 'scan')} followed it: cascan tree {scan.scan_id}")
    return scan_exit_code(scan)


def repeat_note(scan: Scan, message_id: str) -> str:
    """Says so where the answer is that of an earlier request with the same idempotencyKey; else empty."""
    if scan.cause_id == message_id:
        return ""
    at = to_wire(scan.requested_at)
    return f"this request was sent before under its idempotencyKey, at {at}; nothing was scanned again"


def own_port_note(findings: Iterable[Finding], stack: StackGateways) -> str:
    """Says so where a scan of this machine found the local stack itself; else empty."""
    found = {
        (finding.attributes.get("port"), address) for finding in findings for address in finding_addresses(finding)
    }
    if stack.own_port is None or not any(port == stack.own_port and is_loopback(host) for port, host in found):
        return ""
    return f"port {stack.own_port} is the stack on this machine itself"


def wait_for_cascade(scan: Scan, stack: StackGateways, timeout_s: float, open_ids: list[str]) -> int:
    """How many scans followed, where the stack would end with this command before they do; else 0, without a look.

    `open_ids` are kept to those that have not ended. Raises: CliError: they do not end within `timeout_s`.
    """
    if stack.stays_up or scan.request is None or scan.request.cascades is None:
        return 0
    from cascan.model.scan import FINAL_STATES

    started, looks, followed = time.monotonic(), 0, 0
    open_ids[:] = [scan.scan_id]
    with Progress() as progress:
        while open_ids:
            for scan_id in list(open_ids):
                found = stack.table.get_scan(scan_id)
                if found and found.state in FINAL_STATES:  # its children are requested before it is Done
                    children = {child.scan_id for child in stack.cascades.cascade_children(scan_id) if child.scan_id}
                    followed += len(children)
                    open_ids[:] = sorted({*open_ids, *children} - {scan_id})
            progress.show(f"{pluralize(followed, 'scan')} followed, {len(open_ids)} open")
            if open_ids and time.monotonic() - started > timeout_s:
                raise NotEnded(f"the cascade has not ended after {timeout_s:g} s: cascan tree {scan.scan_id}")
            if open_ids:
                time.sleep(POLL_S[min(looks, len(POLL_S) - 1)])
                looks += 1
    return followed


def wait_for_end(scan_ids: list[str], digest: str, stack: StackGateways, timeout_s: float, watch: StackWatch) -> Scan:
    """The scan in a final state, or suspended; of several ids, the one that holds this request.

    Raises: CliError: it is not planned within PLANNED_WITHIN_S, or does not end within `timeout_s`.
    """
    from cascan.model.scan import FINAL_STATES, ScanState  # the request is on its way by now

    table, started, looks, running = stack.table, time.monotonic(), 0, ""
    with Progress() as progress:
        while True:
            found = [scan for scan in map(table.get_scan, scan_ids) if scan and scan.request_digest == digest]
            if found and found[0].state in (*FINAL_STATES, ScanState.SUSPENDED):
                return found[0]
            waited_s = time.monotonic() - started
            if not found and waited_s > PLANNED_WITHIN_S:
                raise CliError(
                    "the request was not planned: see the log of on_scan_requested, and its dead-letter queue"
                )
            if waited_s > timeout_s:
                raise NotEnded(f"the scan has not ended after {timeout_s:g} s")
            if looks >= len(POLL_S) and looks % POLLS_A_BEAT == 0 and found:
                running = _running(table, found[0])
            if looks >= WATCH_AFTER_LOOKS:
                watch.look()
            progress.show(
                ("halted; " if watch.halted else "") + (scan_progress(found[0], running) if found else "queued")
            )
            time.sleep(POLL_S[min(looks, len(POLL_S) - 1)])
            looks += 1


def _print_accepted(scan_id: str, stack: StackGateways, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": scan_id})
    else:
        print(scan_id)
    if switch := stack.table.switch():
        print_message(describe_halt(switch))
    if not stack.stays_up:
        print_message("queued; it runs when the local stack is next up (cascan local up)")


def _running(table: ScanTable, scan: Scan) -> str:
    from cascan.model.shard import ShardState

    if scan.shards > MAX_SHARDS_ASKED or not scan.shards_in_flight:
        return ""
    return running_progress(table.list_shards_in(scan.scan_id, ShardState.RUNNING))
