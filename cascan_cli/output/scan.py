"""A scan as text, as JSON and as an exit code: its progress, its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cascan.ids import ReportKey
from cascan_cli.errors import EXIT_FAILED, EXIT_REFUSED
from cascan_cli.output.principals import describe_principal
from cascan_cli.output.text import pluralize, print_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cascan.gateways import Shards
    from cascan.model.reason import Reason
    from cascan.model.request import ScanRequest
    from cascan.model.scan import Scan

EXIT_DONE, EXIT_PARTIAL, EXIT_FOUND = 0, 1, 4  # EXIT_FOUND: a condition of --fail-on is met, or a violation found
SHOWN_REASONS = 10  # --json has all that are stored
CHANGE_LABELS = {
    "PortOpened": "opened",
    "PortClosed": "closed",
    "ServiceChanged": "changed",
    "HostAppeared": "appeared",
    "HostGone": "gone",
    "HostMoved": "moved",
}  # the values of cascan.model.inventory.ChangeKind, which is slow to import


STATE_WORDS = {  # what happens to a scan in a state: docs/glossary.md
    "Init": "accepted",
    "Suspended": "suspended",
    "Scanning": "scanning",
    "ScanCompleted": "scanned",
    "Parsing": "reading reports",
    "ParseCompleted": "reports read",
    "HookProcessing": "writing results",
    "Done": "done",
    "Errored": "failed",
    "Cancelled": "cancelled",
}


class StoredReports(Protocol):
    """The part of a stack that knows where the reports of a scan are."""

    @property
    def table(self) -> Shards: ...
    def uri(self, key: str) -> str: ...


def scan_exit_code(scan: Scan) -> int:
    """0: done. 1: part of the result is missing, or no host answered. 2: refused. 3: failed."""
    from cascan.model.scan import Outcome, ScanState

    if scan.state is ScanState.ERRORED:
        return EXIT_FAILED if scan.shards else EXIT_REFUSED
    is_complete = scan.state is ScanState.DONE and scan.outcome is Outcome.COMPLETE
    return EXIT_DONE if is_complete or scan.state is ScanState.SUSPENDED else EXIT_PARTIAL


def scan_summary(scan: Scan) -> dict[str, Any]:
    """The scan as JSON, with the camelCase names of secureCodeBox's status."""
    return {
        "id": scan.scan_id,
        "name": scan.name,
        "state": scan.state,
        "outcome": scan.outcome,
        "reasons": {"counts": scan.reasons.counts, "listed": scan.reasons.listed},
        "errorDescription": scan.error_description,
        "requestedAt": scan.requested_at,
        "requestedBy": scan.requested_by,
        "authorization": scan.request.authorization if scan.request else "",
        "contact": scan.request.contact if scan.request else "",
        "finishedAt": scan.finished_at,
        "labels": scan.labels,
        "vantage": scan.vantage,
        "members": scan.members,
        "memberOf": scan.member_of,
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
        "cost": cost_summary(scan),
        "traceId": scan.trace_id,
        "suspendedBy": scan.suspension,
        "notes": scan.notes,
        "refusals": scan.refusals,
    }


def describe_suspension(scan: Scan) -> str:
    """Such as `; suspended by ada (night work), requested by the principal AIDA…`; empty if it is not known."""
    suspension = scan.suspension
    if suspension is None:
        return ""
    by = f" by {suspension.by}" if suspension.by else ""
    reason = f" ({suspension.reason})" if suspension.reason else ""
    sender = f", requested by the principal {describe_principal(suspension.sender)}" if suspension.sender else ""
    return f"; suspended{by}{reason}{sender}" if by or reason or sender else ""


def cost_summary(scan: Scan) -> dict[str, Any] | None:
    """What the scan has cost; None if it has not ended, or an earlier version planned it."""
    if scan.cost is None:
        return None
    usage = scan.usage
    return {
        "usd": scan.cost.usd,
        "parts": scan.cost.parts,
        "estimateUsd": scan.cost.estimate_usd,
        "lambdaSeconds": usage.lambda_ms / 1_000,
        "spotSeconds": usage.spot_ms / 1_000,
        "onDemandSeconds": usage.on_demand_ms / 1_000,
        "attempts": usage.attempts,
        "reportBytes": usage.report_bytes,
    }


def format_cost(scan: Scan) -> str:
    """Such as `$0.0042`; empty if it is not known. Small sums have more digits."""
    if scan.cost is None:
        return ""
    return f"${scan.cost.usd:,.2f}" if scan.cost.usd >= 1 else f"${scan.cost.usd:.2g}"


def duration_s(scan: Scan) -> float | None:
    """From the request to the end of the scan; None if it has not ended."""
    return round((scan.finished_at - scan.requested_at).total_seconds(), 3) if scan.finished_at else None


def format_duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:  # noqa: PLR2004 - then tenths matter
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def next_opening(scan: Scan, now: datetime) -> datetime | None:
    """When the next window of the scan opens; None if one is open, or it has none that this machine can read."""
    if not scan.windows:
        return None
    from cascan.timing.windows import Window, find_opening

    try:
        hours = find_opening([Window.parse(text) for text in scan.windows], now)
    except ValueError:  # this machine does not know the time zone
        return None
    return hours.until if hours and not hours.is_open else None


def format_changes(changes: Mapping[str, int]) -> str:
    """Changes since earlier scans, such as `2 opened 1 closed`.

    An unknown kind appears under its own name.
    """
    kinds = dict.fromkeys((*CHANGE_LABELS, *sorted(changes)))
    counts = {kind: changes[kind] for kind in kinds if changes.get(kind)}
    return " ".join(f"{count} {CHANGE_LABELS.get(kind, kind)}" for kind, count in counts.items())


def report_keys(scan: Scan, table: Shards) -> Iterator[ReportKey]:
    """The reports of the scan and its members: for each shard, that of the attempt that counts."""
    for scan_id in scan.members or (scan.scan_id,):
        for shard in table.shards(scan_id):
            if shard.run:
                yield ReportKey(scan_id, shard.number, shard.attempt)


def describe_state(scan: Scan) -> str:
    """The scan's state, in a word for people who wait for it."""
    return STATE_WORDS.get(scan.state, scan.state)


def print_outcome(scan: Scan, stack: StoredReports) -> None:
    from cascan.model.scan import ScanState

    addresses = pluralize(scan.total_addresses, "address", "addresses")
    counts = f"{pluralize(scan.findings.count, 'finding')}, {scan.hosts_up} of {addresses} up"
    if scan.outcome and scan.shards:
        print_message(f"scan {scan.scan_id} ({scan.name}): {scan.state}, {scan.outcome}; {counts}")
        if scan.changes:
            changes = pluralize(sum(scan.changes.values()), "change")
            print_message(f"{changes} since earlier scans (cascan diff {scan.scan_id})")
    elif scan.shards:
        resume = f"; continue it: cascan resume {scan.scan_id}" if scan.state is ScanState.SUSPENDED else ""
        print_message(f"scan {scan.scan_id} ({scan.name}): {scan.state}; {counts}{resume}")
    if scan.error_description:
        print_message(f"scan {scan.scan_id} {'failed' if scan.shards else 'refused'}: {scan.error_description}")
    print_reasons(scan)
    for note in scan.notes:
        print_message(f"note: {note}")
    if scan.request and (scan.request.authorization or scan.request.contact):
        print_message(f"scan {scan.scan_id} {describe_permission(scan.request)}")
    for key in report_keys(scan, stack.table) if scan.shards else ():
        print_message(f"raw XML: {stack.uri(str(key))} (cascan report {key.scan_id} --xml)")


def describe_permission(request: ScanRequest) -> str:
    """Under which permission it scans, and who answers for it, as the request claims."""
    parts = {"authorized by": request.authorization, "contact": request.contact}
    return "; ".join(f"{label} {text}" for label, text in parts.items() if text)


def print_reasons(scan: Scan) -> None:
    """Why the outcome is not complete: the first reasons, and the number of the others."""
    if not scan.reasons.listed:
        return
    print_message(f"scan {scan.scan_id} is {scan.outcome}, for these reasons:")
    shown = scan.reasons.listed[:SHOWN_REASONS]
    for reason in shown:
        print_message(f"  {reason.code}: {format_reason(reason)}")
    hidden = scan.reasons.count - len(shown)
    if hidden > 0:
        print_message(f"  and {hidden} more: cascan scans --json")


def format_reason(reason: Reason) -> str:
    """The sentence, preceded by its subject unless it names that itself."""
    names_subject = not reason.subject or reason.subject in reason.sentence
    return reason.sentence if names_subject else f"{reason.subject}: {reason.sentence}"


def format_first_reason(scan: Scan) -> str:
    """The first reason why its outcome is not complete, and the number of the others; empty if it has none."""
    if not scan.reasons.listed:
        return ""
    others = f" (and {scan.reasons.count - 1} more)" if scan.reasons.count > 1 else ""
    return f"{format_reason(scan.reasons.listed[0])}{others}"
