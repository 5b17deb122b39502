"""`cascan findings`: print the findings of a scan; with --json in secureCodeBox's format."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cascan.findings.to_json import scan_fields, to_json
from cascan.model.finding import Finding
from cascan.queries.current_findings import OPEN_PORT
from cascan.queries.finding_query import FindingQuery
from cascan.queries.read_findings import read_findings
from cascan_cli.commands.export_findings import check_export_options, export_findings
from cascan_cli.errors import BadInput
from cascan_cli.input.finding_query import parse_finding_query
from cascan_cli.output.scan import print_findings, print_reasons, scan_exit_code
from cascan_cli.output.targets import format_targets
from cascan_cli.output.text import pluralize, print_json_list, print_message, printable
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.model.scan import Scan


def run(args: Namespace) -> int:
    """Returns the exit code of the scan, so that a script learns whether the findings are complete."""
    if args.now == bool(args.scan):
        raise BadInput("give either SCAN or --now; see: cascan findings --help")
    if args.as_targets and args.json:
        raise BadInput("--as-targets prints lines of text; leave out --json")
    check_export_options(args)
    query = parse_finding_query(args)
    if args.form:
        return export_findings(query, args)
    if args.now:
        return _print_current(query, args)
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan)
        findings = query.select(read_findings(scan, stack.table))
        # Printed as they are read: a scan may have more than fit into memory
        if args.as_targets:
            _print_targets(findings)
        elif args.json:
            fields = scan_fields(scan)
            print_json_list(to_json(finding, fields) for finding in findings)
        else:
            print_findings(findings)
    if scan.error_description:
        print_message(f"scan {scan.scan_id}: {scan.error_description}")
    print_reasons(scan)
    return scan_exit_code(scan)


def _print_targets(findings: Iterable[Finding]) -> None:
    """The open ports of the findings, as targets with ports of their own."""
    ports = (
        (address, finding.attributes.get("protocol") or "", finding.attributes.get("port") or 0)
        for finding in findings
        if finding.category == OPEN_PORT
        for address in (finding.attributes.get("ip_addresses") or ())[:1]
    )
    for line in format_targets(ports):
        print(printable(line))


def _print_current(query: FindingQuery, args: Namespace) -> int:
    from cascan.queries.current_findings import find_current_findings

    removed = 0

    def select(current: Iterable[tuple[Finding, Scan | None]]) -> Iterator[tuple[Finding, Scan | None]]:
        nonlocal removed
        for finding, scan in current:
            if query.fits(finding):
                removed += scan is None
                yield finding, scan

    with open_stack(args) as stack:
        selected = select(find_current_findings(stack.table))
        if args.as_targets:
            _print_targets(finding for finding, _ in selected)
        elif args.json:
            print_json_list(to_json(finding, scan_fields(scan) if scan else None) for finding, scan in selected)
        else:
            print_findings(finding for finding, _ in selected)
    if removed:
        findings = pluralize(removed, "finding")
        print_message(f"{findings} from the inventory alone: the scans that saw the ports last are removed")
    return 0
