"""`cascan delete`: remove scans with their findings and reports, before their time to live ends.

The stack removes them: the command puts an entry into its agenda, as the time to live does. So a
removal that is interrupted goes on, and an operator needs no permission to delete reports.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Sequence

from cascan.clock import utc_now
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import FINAL_STATES, Scan
from cascan_cli.errors import BadInput, NotEnded
from cascan_cli.output.scan import scan_summary
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import StackGateways, open_stack

POLL_S = 0.5
KEPT = "inventory and history stay"


def run(args: Namespace) -> int:
    """Exit code 0: the scans are removed, or with --no-wait: will be.

    Raises: BadInput: a scan has not ended or is one of several members, or the user did not confirm; nothing was
    removed.
    """
    with open_stack(args) as stack:
        scans = _find_scans(args.scans, stack)
        for scan in scans:
            _check(scan)
        _check_members(scans, stack)
        if not args.yes:
            _ask(scans)
        for scan in scans:
            stack.table.add_to_agenda(AgendaEntry(utc_now(), scan.scan_id, AgendaTask.EXPIRE))
        count = pluralize(len(scans), "scan")
        if args.no_wait:
            print_message(f"{count} will be removed by the stack within minutes; {KEPT}")
        else:
            _wait([scan.scan_id for scan in scans], stack, args.timeout)
            print_message(f"{count} removed; {KEPT}")
    if args.json:
        print_json([scan_summary(scan) for scan in scans])
    return 0


def _find_scans(names: Sequence[str], stack: StackGateways) -> list[Scan]:
    """The scans that the names mean, each once; of several vantages, with their members."""
    scans: dict[str, Scan] = {}
    for name in names:
        scan = find_scan(stack.table, name)
        members = filter(None, map(stack.table.get_scan, scan.members))
        scans |= {found.scan_id: found for found in (scan, *members)}
    return list(scans.values())


def _check(scan: Scan) -> None:
    """Raises: BadInput: the scan has not ended."""
    if scan.state not in FINAL_STATES or scan.shards_open:
        raise BadInput(
            f"scan {scan.scan_id} ({scan.name}) has not ended, it is {scan.state}; nothing was removed. "
            f"End it first: cascan cancel {scan.scan_id}"
        )


def _check_members(scans: Sequence[Scan], stack: StackGateways) -> None:
    """Raises: BadInput: a scan is a member of another one that stays, and that counts its findings."""
    removed = {scan.scan_id for scan in scans}
    for scan in scans:
        if not scan.member_of or scan.member_of in removed:
            continue
        parent = stack.table.get_scan(scan.member_of)
        if parent:
            raise BadInput(
                f"scan {scan.scan_id} is the part of scan {parent.scan_id} ({parent.name}) that {scan.vantage} saw, "
                f"and counted there; nothing was removed. Remove all of it: cascan delete {parent.scan_id}"
            )


def _ask(scans: Sequence[Scan]) -> None:
    """Raises: BadInput: the user did not confirm."""
    if not sys.stdin.isatty():
        raise BadInput(f"cascan delete removes findings and reports for good ({KEPT}): confirm with --yes")
    names = ", ".join(f"{scan.scan_id} ({scan.name})" for scan in scans)
    answer = input(f"Remove {names} with findings and reports? {KEPT.capitalize()}. [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise BadInput("nothing was removed")


def _wait(scan_ids: Sequence[str], stack: StackGateways, timeout_s: float) -> None:
    """Raises: NotEnded: they are not removed after `timeout_s`."""
    started = time.monotonic()
    with Progress() as progress:
        while left := sum(stack.table.get_scan(scan_id) is not None for scan_id in scan_ids):
            if time.monotonic() - started > timeout_s:
                raise NotEnded(
                    f"{pluralize(left, 'scan')} not removed after {timeout_s:g} s; the stack goes on with it"
                )
            progress.show(f"{pluralize(left, 'scan')} to be removed; the stack looks every minute")
            time.sleep(POLL_S)
