"""What is told of a scan: its findings as a table, how it ended, how far it is; as JSON; as an exit code."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from cascan.ids import ReportKey
from cascan_cli.errors import EXIT_FAILED, EXIT_REFUSED
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cascan.gateways import ScanTable
    from cascan.model.finding import Finding
    from cascan.model.reason import Reason
    from cascan.model.scan import Scan
    from cascan.model.shard import Shard

EXIT_DONE, EXIT_PARTIAL = 0, 1
SHOWN_REASONS = 10  # in a terminal; --json has all that are kept
CHANGE_LABELS = {
    "PortOpened": "opened",
    "PortClosed": "closed",
    "ServiceChanged": "changed",
    "HostAppeared": "appeared",
    "HostGone": "gone",
}  # cascan.model.inventory.ChangeKind, which only who compares scans loads
SEVERITIES = ("HIGH", "MEDIUM", "LOW", "INFORMATIONAL")  # cascan.model.finding.Severity, worst first
FINDING_COLUMNS = ("SEVERITY", "CATEGORY", "LOCATION", "FINDING", "DETAIL")


class StoredReports(Protocol):
    """As much of a stack as says where a scan's reports are."""

    @property
    def table(self) -> ScanTable: ...
    def uri(self, key: str) -> str: ...


def scan_exit_code(scan: Scan) -> int:
    """0 done, 1 a part of the answer is missing or nothing answered, 2 refused, 3 failed."""
    from cascan.model.scan import Outcome, ScanState

    if scan.state is ScanState.ERRORED:
        return EXIT_FAILED if scan.shards else EXIT_REFUSED
    whole = scan.state is ScanState.DONE and scan.outcome is Outcome.COMPLETE
    return EXIT_DONE if whole or scan.state is ScanState.SUSPENDED else EXIT_PARTIAL


def print_findings(findings: Iterable[Finding]) -> None:
    from cascan.rules.severity import to_count_key

    rows = sorted(findings, key=_rank)
    if rows:
        counts = Counter(to_count_key(finding) for finding in rows)
        print_message(", ".join(f"{counts[severity]} {severity}" for severity in sorted(counts, key=_severity_rank)))
    cells = ((to_count_key(f), f.category, f.location, f.name, finding_detail(f)) for f in rows)
    print_table(FINDING_COLUMNS, cells, drop=("CATEGORY", "DETAIL"))


def _rank(finding: Finding) -> tuple[object, ...]:
    """What matters most first; then by address as a number, and by port."""
    from cascan.rules.severity import to_count_key

    of = finding.attributes
    return (
        _severity_rank(to_count_key(finding)),
        _address_rank(finding_addresses(finding)),
        of.get("port") or 0,
        finding.name,
    )


def finding_addresses(finding: Finding) -> list[str]:
    """The addresses of its host; empty for a finding of another scanner."""
    addresses = finding.attributes.get("ip_addresses")
    return [text for text in addresses if isinstance(text, str)] if isinstance(addresses, list) else []


def is_loopback(address: str) -> bool:
    from cascan.nmap.addresses import parse_address

    try:
        return parse_address(address).is_loopback
    except ValueError:
        return False


def _severity_rank(severity: str) -> tuple[int, str]:
    """What a rule suppressed or accepted comes last."""
    return (SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)), severity


def _address_rank(addresses: list[str]) -> tuple[int, int]:
    from cascan.nmap.addresses import parse_address

    try:
        address = parse_address(addresses[0] if addresses else "")
    except ValueError:  # of another scanner's finding
        return 0, 0
    return address.version, int(address)


def scan_summary(scan: Scan) -> dict[str, Any]:
    """The scan as JSON: secureCodeBox's status words, in camelCase as they are there."""
    return {
        "id": scan.scan_id,
        "name": scan.name,
        "state": scan.state,
        "outcome": scan.outcome,
        "reasons": {"counts": scan.reasons.counts, "listed": scan.reasons.listed},
        "errorDescription": scan.error_description,
        "requestedAt": scan.requested_at,
        "finishedAt": scan.finished_at,
        "labels": scan.labels,
        "targets": scan.request.targets if scan.request else (),
        "parameters": scan.request.parameters if scan.request else (),
        "scanType": scan.request.scan_type if scan.request else None,
        "durationSeconds": duration_s(scan),
        "addresses": scan.total_addresses,
        "hostsUp": scan.hosts_up,
        "changes": scan.changes,
        "shards": scan.shards,
        "shardsOpen": scan.shards_open,
        "shardsWaiting": scan.shards_waiting,
        "shardOutcomes": scan.shard_outcomes,
        "findings": {
            "count": scan.findings.count,
            "severities": scan.findings.severities,
            "categories": scan.findings.categories,
        },
        "notes": scan.notes,
        "refusals": scan.refusals,
    }


def duration_s(scan: Scan) -> float | None:
    """From the request to the end; None: it has not ended."""
    return round((scan.finished_at - scan.requested_at).total_seconds(), 3) if scan.finished_at else None


def format_changes(changes: Mapping[str, int]) -> str:
    """`2 opened 1 closed`: what changed since earlier scans; empty: nothing did. An unknown kind is told as it is."""
    counts = {kind: changes[kind] for kind in (*CHANGE_LABELS, *sorted(changes)) if changes.get(kind)}
    return " ".join(f"{count} {CHANGE_LABELS.get(kind, kind)}" for kind, count in counts.items())


def report_uris(scan_id: str, stack: StoredReports) -> list[str]:
    """Where the reports of the scan's shards lie: of each, the attempt that counted."""
    shards = (shard for shard in stack.table.shards(scan_id) if shard.run)
    return [stack.uri(str(ReportKey(scan_id, shard.number, shard.attempt))) for shard in shards]


def print_outcome(scan: Scan, stack: StoredReports) -> None:
    addresses = pluralize(scan.total_addresses, "address", "addresses")
    counts = f"{pluralize(scan.findings.count, 'finding')}, {scan.hosts_up} of {addresses} up"
    if scan.outcome and scan.shards:
        print_message(f"scan {scan.scan_id} ({scan.name}): {scan.state}, {scan.outcome}; {counts}")
        if scan.changes:
            changes = pluralize(sum(scan.changes.values()), "change")
            print_message(f"{changes} since earlier scans (cascan diff {scan.scan_id})")
    elif scan.shards:
        print_message(f"scan {scan.scan_id} ({scan.name}): {scan.state}; nothing was scanned yet")
    if scan.error_description:
        print_message(f"scan {scan.scan_id} {'failed' if scan.shards else 'refused'}: {scan.error_description}")
    print_reasons(scan)
    for note in scan.notes:
        print_message(f"note: {note}")
    for uri in report_uris(scan.scan_id, stack) if scan.shards else ():
        print_message(f"raw XML: {uri} (cascan report {scan.scan_id} --xml)")


def print_reasons(scan: Scan) -> None:
    """Why the outcome is not complete: the first reasons in sentences, the others by number."""
    if not scan.reasons.listed:
        return
    print_message(f"scan {scan.scan_id} is {scan.outcome}, for these reasons:")
    shown = scan.reasons.listed[:SHOWN_REASONS]
    for reason in shown:
        print_message(f"  {reason.code}: {format_reason(reason)}")
    more = scan.reasons.count - len(shown)
    if more > 0:
        print_message(f"  and {more} more: cascan scans --json")


def format_reason(reason: Reason) -> str:
    """The sentence, after its subject where it does not name it."""
    named = not reason.subject or reason.subject in reason.sentence
    return reason.sentence if named else f"{reason.subject}: {reason.sentence}"


def scan_progress(scan: Scan, running: str = "") -> str:
    """One line; `running` is what those shards say that run now."""
    done = scan.shards - scan.shards_open
    shards, findings = pluralize(scan.shards, "shard"), pluralize(scan.findings.count, "finding")
    line = f"{scan.name}: {scan.state}, {done} of {shards}, {findings}"
    return f"{line}; {running}" if running else line


def running_progress(shards: Iterable[Shard]) -> str:
    """What running nmaps say of themselves: the task of one, with its percent; of several, how far they are."""
    told = [shard.progress for shard in shards if shard.progress]
    if not told:
        return ""
    percents = [one.percent for one in told]
    span = f"{min(percents)} to {max(percents)} %" if len(set(percents)) > 1 else f"{percents[0]} %"
    tasks = {one.task for one in told}
    what = tasks.pop() if len(tasks) == 1 else f"{len(told)} shards run"
    return f"{what} {span}, {pluralize(sum(one.hosts_done for one in told), 'host')} done"


def finding_detail(finding: Finding) -> str:
    """What there is to know beyond the finding's name: the product, a title, an operating system, a certificate."""
    of = finding.attributes
    facts = [of.get("serviceProduct"), of.get("serviceVersion"), of.get("title")]
    if finding.category == "Host":
        facts.append(of.get("operating_system"))
    if of.get("not_after"):
        subject = of.get("subject")
        facts += [subject.get("commonName") if isinstance(subject, dict) else None, f"until {of['not_after']}"]
    return " ".join(str(fact) for fact in facts if fact)
