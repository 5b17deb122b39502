"""`cascan scans`: what was scanned, and what was refused."""

from __future__ import annotations

from argparse import Namespace

from cascan.clock import to_wire
from cli.access import access
from cli.errors import BadInput
from cli.follow import scan_summary
from cli.show import print_json, print_table

COLUMNS = ("SCAN", "NAME", "STATE", "OUTCOME", "REQUESTED", "FINDINGS", "REMARK")


def run(args: Namespace) -> int:
    if args.limit < 1:
        raise BadInput(f"--limit {args.limit} is not a number from 1 on")
    with access(args) as stack:
        scans = list(stack.table.list_scans(args.limit))
    if args.json:
        print_json([scan_summary(scan) for scan in scans])
        return 0
    rows = (
        (s.scan_id, s.name, s.state, s.outcome or "", to_wire(s.requested_at), s.findings.count, s.error_description)
        for s in scans
    )
    print_table(COLUMNS, rows)
    return 0
