"""`cascan wait`: wait for the end of a scan that was requested before."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.queries.read_findings import read_findings
from cascan_cli.output.scan import print_outcome, scan_exit_code, scan_summary
from cascan_cli.output.text import print_json
from cascan_cli.stack.await_scan import await_scan
from cascan_cli.stack.fail_on import apply_conditions
from cascan_cli.stack.follow import wait_for_end, watch_stack
from cascan_cli.stack.interruption import report_interruption
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.model.scan import Scan


def run(args: Namespace) -> int:
    """Returns the exit code of the scan, or 4 if it meets a condition of --fail-on.

    Raises: CliError: it has not ended after --timeout.
    """
    with open_stack(args) as stack:
        requested = await_scan(stack, args.scan)

        def read_scan() -> Scan:
            return stack.table.get_scan(requested.scan_id) or requested

        with report_interruption([requested.scan_id], stack, args):
            scan = wait_for_end(read_scan, stack.table, args.timeout, watch_stack(stack, args))
        if args.json:
            print_json(scan_summary(scan))
        else:
            print_outcome(scan, stack)
        findings = read_findings(scan, stack.table) if args.fail_on else ()
        return apply_conditions(scan_exit_code(scan), scan, findings, stack.table, args.fail_on)
