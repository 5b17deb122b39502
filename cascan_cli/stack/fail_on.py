"""`--fail-on`: end the command with exit code 4 if the result of a scan meets a condition.

    new      a finding that the earlier scan of the series did not have, also where that did not look
    high     a finding of severity HIGH, after the severity rules
    open     an open port
    changed  a change against earlier scans, as `cascan diff` lists them without --all

Suppressed and accepted findings are neither `new` nor `high`.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

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
NEW, NOT_COVERED = "new", "not covered"  # values of cascan.queries.since_last_scan.Standing
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

    new, first_covered, high, open_ports, earlier = 0, 0, 0, 0, ""
    if "new" in conditions:
        compared = _compare_with_earlier(scan, findings, table)
        earlier, pairs = compared.earlier, compared.pairs
    else:
        pairs = ((finding, "") for finding in findings)
    for finding, standing in pairs:
        open_ports += finding.category == OPEN_PORT
        count_key = to_count_key(finding)
        if count_key in (SUPPRESSED, ACCEPTED):
            continue
        high += count_key == HIGH
        new += standing in (NEW, NOT_COVERED)
        first_covered += standing == NOT_COVERED
    changes = sum(scan.changes.values())
    where = f", {first_covered} of them where it did not look" if first_covered else ""
    found = {
        "new": (new, f"{pluralize(new, 'finding')} that scan {earlier} did not have{where}"),
        "high": (high, f"{pluralize(high, 'finding')} of severity HIGH"),
        "open": (open_ports, pluralize(open_ports, "open port")),
        "changed": (changes, f"{pluralize(changes, 'change')} since earlier scans (cascan diff {scan.scan_id})"),
    }
    return {condition: text for condition, (count, text) in found.items() if count and condition in conditions}


class _Compared(NamedTuple):
    earlier: str  # id of the scan before; empty: there is none
    pairs: Iterable[tuple[Finding, str]]  # each finding with how it stands to that scan


def _compare_with_earlier(scan: Scan, findings: Iterable[Finding], table: FindingTable) -> _Compared:
    """Without an earlier scan, no finding has a standing, and a note says so."""
    # Only `new` needs these
    from cascan.queries.new_findings import EarlierScan
    from cascan.queries.read_findings import read_findings_by_vantage
    from cascan.queries.since_last_scan import find_earlier_scan

    earlier = find_earlier_scan(table, scan)
    if earlier is None:
        print_message(f"note: series {scan.name!r} has no earlier scan that is Done: no finding counts as new")
        return _Compared("", ((finding, "") for finding in findings))
    if scan.members:  # `findings` do not tell from which vantage each is
        by_vantage = read_findings_by_vantage(scan, table)
    else:
        by_vantage = ((scan.vantage, finding) for finding in findings)
    return _Compared(earlier.scan_id, EarlierScan(earlier, scan, table).compare(by_vantage))
