"""`cascan explain FINDING`: why there is a finding, what it means, and what to do."""

from __future__ import annotations

import re
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.queries.explain_finding import explain_finding, find_finding
from cascan_cli.errors import BadInput
from cascan_cli.output.explanation import explanation_to_json, print_explanation
from cascan_cli.output.text import print_json
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan
    from cascan_cli.stack.open import StackGateways

BEGINNING = re.compile(r"[0-9a-fA-F-]{4,64}")


def run(args: Namespace) -> int:
    """Raises: BadInput: no finding of the scan, or several, begin with the text."""
    if not BEGINNING.fullmatch(args.finding):
        raise BadInput(
            f"{args.finding!r}: must be the id or the fingerprint of a finding, or at least 4 characters of its "
            "beginning; the column ID of cascan findings has it"
        )
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan)
        vantage, finding = _find(scan, stack, args.finding)
        explanation = explain_finding(scan, vantage, finding, stack.table)
    if args.json:
        print_json(explanation_to_json(explanation))
    else:
        print_explanation(explanation)
    return 0


def _find(scan: Scan, stack: StackGateways, text: str) -> tuple[str, Finding]:
    candidates = find_finding(scan, stack.table, text)
    if not candidates:
        raise BadInput(f"scan {scan.scan_id} has no finding that begins with {text!r}; another scan: --scan SCAN")
    if len(candidates) > 1:
        listed = "; ".join(f"{finding.id} {finding.name}" for _, finding in candidates)
        raise BadInput(f"{len(candidates)} findings of scan {scan.scan_id} begin with {text!r}: {listed}")
    return candidates[0]
