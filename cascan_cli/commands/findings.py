"""`cascan findings`: print the findings of a scan; with --json in secureCodeBox's format."""

from __future__ import annotations

from argparse import Namespace

from cascan.findings.to_json import scan_fields, to_json
from cascan_cli.output.scan import print_findings, print_reasons, scan_exit_code
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import open_stack


def run(args: Namespace) -> int:
    """Returns the exit code of the scan, so that a script learns whether the findings are complete."""
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan)
        findings = list(stack.table.findings(scan.scan_id))
    if args.json:
        print_json([to_json(finding, scan_fields(scan)) for finding in findings])
    else:
        print_findings(findings)
    if scan.error_description:
        print_message(f"scan {scan.scan_id}: {scan.error_description}")
    print_reasons(scan)
    return scan_exit_code(scan)
