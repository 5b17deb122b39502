"""`cascan findings`: print the findings of a scan; with --json in secureCodeBox's format."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cascan.model.finding import Finding
from cascan.queries.finding_query import FindingQuery
from cascan.queries.select_findings import FindingPage, SelectedFindings
from cascan_cli.errors import BadInput
from cascan_cli.input.finding_query import parse_finding_query
from cascan_cli.output.findings import print_findings
from cascan_cli.output.scan import print_reasons, scan_exit_code
from cascan_cli.output.targets import format_targets
from cascan_cli.output.text import pluralize, print_json, print_json_list, print_message, printable
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.model.scan import Scan

OPEN_PORT = "Open Port"  # a category: cascan.findings.ports


def run(args: Namespace) -> int:
    """Returns the exit code of the scan, so that a script learns whether the findings are complete."""
    _check_arguments(args)
    if args.form or args.output or args.with_secrets:
        from cascan_cli.commands.export_findings import check_export_options  # imports every format

        check_export_options(args)
    query = parse_finding_query(args)
    if args.form:
        from cascan_cli.commands.export_findings import export_findings

        return export_findings(query, args)
    if args.now:
        return _print_current(query, args)
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan)
        selected = SelectedFindings(query, scan, stack.table)
        # Printed as they are read: a scan may have more than fit into memory
        if args.as_targets:
            _print_targets(selected)
        elif args.limit is not None:
            _print_page(selected, scan, args)
        elif args.json:
            from cascan.findings.to_json import scan_fields, to_json  # imports every reader of scripts

            fields = scan_fields(scan)
            print_json_list(to_json(finding, fields) for finding in selected)
        else:
            print_findings(selected)
    if query.new:
        _print_comparison(selected, scan)
    if scan.error_description:
        print_message(f"scan {scan.scan_id}: {scan.error_description}")
    print_reasons(scan)
    return scan_exit_code(scan)


def _check_arguments(args: Namespace) -> None:
    """Raises: BadInput: options that exclude each other."""
    if sum(map(bool, (args.now, args.scan, args.series))) != 1:
        raise BadInput("give one of SCAN, --now and --series NAME; see: cascan findings --help")
    if args.series and not args.form:
        raise BadInput(f"--series {args.series} needs --as FORMAT; its newest scan is cascan findings {args.series}")
    if args.changes and (not args.scan or not args.form or args.new):
        raise BadInput("--changes exports what a scan changed: give SCAN and --as FORMAT, and leave out --new")
    if args.as_targets and args.json:
        raise BadInput("--as-targets prints lines of text; leave out --json")
    if args.now and args.new:
        raise BadInput("--new compares a scan with the one before it: give SCAN in place of --now")
    if args.after and args.limit is None:
        raise BadInput("--after goes on with a list that --limit ended: give --limit as well")
    if args.limit is not None and (args.now or args.as_targets):
        raise BadInput("--limit lists the findings of a SCAN; leave out --now and --as-targets")
    if args.limit is not None and args.form:
        raise BadInput(f"--as {args.form} writes the whole selection; leave out --limit")
    if args.limit is not None and args.limit < 1:
        raise BadInput(f"--limit {args.limit}: must be at least 1")


def _print_page(selected: Iterable[Finding], scan: Scan, args: Namespace) -> None:
    """Raises: BadInput: the list has no finding with the cursor."""
    pages = []

    def cut(findings: Iterable[Finding]) -> Iterator[Finding]:
        pages.append(FindingPage(findings, limit=args.limit, after=args.after))
        return iter(pages[-1])

    try:
        if args.json:
            from cascan.findings.to_json import scan_fields, to_json
            from cascan.queries.finding_query import order_findings

            fields = scan_fields(scan)
            documents = [to_json(finding, fields) for finding in cut(order_findings(selected).findings)]
            print_json({"findings": documents, "next": pages[-1].next})
        else:
            print_findings(selected, cut)
    except LookupError as exc:
        raise BadInput(
            f"--after {args.after}: this list has no such cursor; give the options of the list that printed it"
        ) from exc
    if pages[-1].next:
        print_message(f"more: the same command with --after {pages[-1].next}")


def _print_comparison(selected: SelectedFindings, scan: Scan) -> None:
    if selected.earlier is None:
        print_message(f"series {scan.name!r} has no earlier scan that is Done: no finding is new")
        return
    others = ""
    if selected.first_covered:
        findings = pluralize(selected.first_covered, "more finding")
        others = f"; {findings} where that scan did not look"
    print_message(f"compared with scan {selected.earlier.scan_id}{others}")


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
    from cascan.findings.to_json import scan_fields, to_json
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
