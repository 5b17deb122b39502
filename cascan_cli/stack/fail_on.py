"""`--fail-on`: end the command with exit code 4 if the result of a scan meets a condition.

    new      a finding that the earlier scan of the series did not have
    high     a finding of severity HIGH, after the severity rules
    open     an open port
    changed  a change against earlier scans, as `cascan diff` lists them without --all

Suppressed and accepted findings are neither `new` nor `high`.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from cascan.queries.read_findings import read_findings
from cascan.queries.since_last_scan import find_earlier_scan
from cascan_cli.errors import EXIT_FAILED, EXIT_REFUSED, BadInput
from cascan_cli.output.scan import EXIT_DONE, EXIT_FOUND, EXIT_PARTIAL
from cascan_cli.output.text import pluralize, print_message

if TYPE_CHECKING:
    from cascan.gateways import Findings, History, Scans
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan

    class FindingTable(Scans, Findings, History, Protocol): ...


OPEN_PORT = "Open Port"  # a category: cascan.findings.ports
HIGH = "HIGH"  # a value of cascan.model.finding.Severity; none is above it
WORST_LAST = (EXIT_DONE, EXIT_PARTIAL, EXIT_FOUND, EXIT_REFUSED, EXIT_FAILED)


def require_wait(args: Namespace) -> None:
    """Raises: BadInput: --fail-on with --no-wait, which would never see the result."""
    if args.fail_on and args.no_wait:
        raise BadInput("--fail-on needs the result of the scan: leave out --no-wait, or use cascan wait SCAN --fail-on")


def choose_worst(exit_codes: Iterable[int]) -> int:
    """The exit code of several scans: failed, else refused, else a condition that is met, else partial."""
    return max(exit_codes, key=WORST_LAST.index)


def apply_conditions(
    exit_code: int,
    scan: Scan,
    findings: Iterable[Finding],
    table: FindingTable,
    conditions: Iterable[str],
) -> int:
    """Print each condition that the scan meets. Returns EXIT_FOUND if it meets one, else `exit_code`.

    A scan that was refused or failed keeps its exit code: it has no result.
    """
    if exit_code in (EXIT_REFUSED, EXIT_FAILED) or not conditions:
        return exit_code
    sentences = _find_sentences(scan, findings, table, frozenset(conditions))
    for condition, sentence in sentences.items():
        print_message(f"--fail-on {condition}: {sentence}")
    return EXIT_FOUND if sentences else exit_code


def _find_sentences(
    scan: Scan,
    findings: Iterable[Finding],
    table: FindingTable,
    conditions: frozenset[str],
) -> dict[str, str]:
    """Condition → sentence, for each condition that is met."""
    from cascan.rules.severity import ACCEPTED, SUPPRESSED, to_count_key

    earlier = find_earlier_scan(table, scan) if "new" in conditions else None
    if "new" in conditions and earlier is None:
        print_message(f"note: series {scan.name!r} has no earlier scan that is Done: no finding counts as new")
    earlier_fingerprints = {finding.fingerprint for finding in read_findings(earlier, table)} if earlier else set()
    new = high = open_ports = 0
    for finding in findings:
        open_ports += finding.category == OPEN_PORT
        count_key = to_count_key(finding)
        if count_key in (SUPPRESSED, ACCEPTED):
            continue
        high += count_key == HIGH
        new += earlier is not None and finding.fingerprint not in earlier_fingerprints
    changes = sum(scan.changes.values())
    found = {
        "new": (new, f"{pluralize(new, 'finding')} that scan {earlier.scan_id if earlier else ''} did not have"),
        "high": (high, f"{pluralize(high, 'finding')} of severity HIGH"),
        "open": (open_ports, pluralize(open_ports, "open port")),
        "changed": (changes, f"{pluralize(changes, 'change')} since earlier scans (cascan diff {scan.scan_id})"),
    }
    return {condition: text for condition, (count, text) in found.items() if count and condition in conditions}
