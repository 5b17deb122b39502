"""One scan as a page of text, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cascan.clock import to_wire
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState
from cascan_cli.output.fields import print_fields, print_lines, print_title
from cascan_cli.output.findings import count_severities
from cascan_cli.output.principals import describe_principal
from cascan_cli.output.scan import (
    describe_permission,
    describe_suspension,
    duration_s,
    format_changes,
    format_cost,
    format_duration,
    format_reason,
    scan_summary,
)
from cascan_cli.output.text import pluralize, shorten_list

if TYPE_CHECKING:
    from cascan.queries.scan_page import ChildScan, ScanPage, SeriesChanges

SHOWN_TARGETS = 10  # --json has all
OUTCOMES = {
    Outcome.COMPLETE: "every address was scanned and is accounted for",
    Outcome.PARTIAL: "a part of the result is missing",
    Outcome.TIMED_OUT: "a host, a shard or the scan ran into its time limit",
    Outcome.UNRESOLVED: "a name has no address",
    Outcome.NOTHING_ANSWERED: "every address was scanned, and no host was up",
    Outcome.FAILED: "no shard has a result",
}


def print_scan_page(page: ScanPage) -> None:
    scan = page.scan
    print_fields([("scan", scan.scan_id), ("series", scan.name), ("state", _describe_state(scan))])
    print_title("Request")
    print_fields(list(_list_request(scan)))
    print_title("Result")
    print_fields(list(_list_result(page)))
    missing = list(_list_missing(scan))
    if missing:
        print_title("Not scanned, and why")
        print_lines(missing)
    related = [(label, value) for label, value in _list_related(page) if value]
    if related:
        print_title("Cascade")
        print_fields(related)
    print_title("Next")
    print_lines(suggest_commands(page))


def _describe_state(scan: Scan) -> str:
    if scan.outcome:
        return f"{scan.state}, {scan.outcome}: {OUTCOMES[scan.outcome]}"
    if scan.error_description:
        return f"{scan.state}: {scan.error_description}"
    done = scan.shards - scan.shards_open
    return f"{scan.state}, {done} of {pluralize(scan.shards, 'shard')} done{describe_suspension(scan)}"


def _list_request(scan: Scan) -> Iterator[tuple[str, object]]:
    request = scan.request
    if request:
        yield "targets", shorten_list(request.targets, SHOWN_TARGETS)
        yield "excluded", shorten_list(request.exclude, SHOWN_TARGETS)
        yield "options", " ".join(request.parameters)
        yield "scan type", request.scan_type or ""
    yield "vantage", f"{len(scan.members)} vantages" if scan.members else scan.vantage
    yield "labels", ", ".join(f"{key}={value}" for key, value in scan.labels.items())
    yield "windows", ", ".join(scan.windows)
    yield "requested", to_wire(scan.requested_at)
    yield "by", describe_principal(scan.requested_by)
    yield "permission", describe_permission(request) if request else ""
    yield "finished", to_wire(scan.finished_at) if scan.finished_at else ""
    seconds = duration_s(scan)
    yield "duration", format_duration(seconds) if seconds is not None else ""
    yield "cost", _describe_cost(scan)
    for note in scan.notes:
        yield "note", note


def _describe_cost(scan: Scan) -> str:
    if scan.cost is None:
        return ""
    ends = scan.cost.estimate_usd
    estimate = f", estimated ${ends[0]:.2g} to ${ends[1]:.2g}" if ends else ""
    return f"{format_cost(scan)}{estimate}"


def _list_result(page: ScanPage) -> Iterator[tuple[str, object]]:
    scan = page.scan
    addresses = pluralize(scan.total_addresses, "address", "addresses")
    yield "hosts", f"{scan.hosts_up} of {addresses} up"
    severities = count_severities(scan.findings.severities)
    yield "findings", ", ".join(severities) or f"{scan.findings.count}"
    categories = sorted(scan.findings.categories.items(), key=lambda item: (-item[1], item[0]))
    yield "categories", ", ".join(f"{count} {name}" for name, count in categories if count)
    yield "since last scan", _describe_changes(page)
    yield "inventory", format_changes(scan.changes)


def _describe_changes(page: ScanPage) -> str:
    changes = page.changes
    if changes is None and page.earlier is None:
        return "first scan of the series that is Done" if page.scan.state is ScanState.DONE else ""
    if changes is None:
        return "not compared: it is not Done, or has too many findings" if page.earlier else ""
    first = f" ({changes.first_covered} more where it did not look before)" if changes.first_covered else ""
    when = to_wire(changes.earlier.requested_at)
    counts = f"{changes.new} new{first}, {changes.resolved} resolved, {changes.not_covered} not covered"
    return f"{counts}; compared with {changes.earlier.scan_id} of {when}"


def _list_missing(scan: Scan) -> Iterator[str]:
    for refusal in scan.refusals:
        yield f"{refusal.what}: {refusal.reason}"
    for reason in scan.reasons.listed:
        yield f"{reason.code}: {format_reason(reason)}"
    hidden = scan.reasons.count - len(scan.reasons.listed)
    if hidden > 0:
        yield f"and {hidden} more reasons"
    if scan.outcome is None and scan.shards_open:
        yield f"{scan.shards_open} of {pluralize(scan.shards, 'shard')} have not ended yet"


def _list_related(page: ScanPage) -> Iterator[tuple[str, object]]:
    origin = page.scan.request.origin if page.scan.request else None
    if origin:
        yield "parent", f"{origin.parent_scan}, by rule {origin.rule}"
        yield "root", origin.root_scan if origin.root_scan != origin.parent_scan else ""
    yield "part of", page.scan.member_of
    for member in page.members:
        yield "member", f"{member.scan_id} from {member.vantage}: {member.state}{_name_outcome(member)}"
    for entry in page.children:
        yield "child", f"{_describe_child(entry)}, by rule {entry.child.rule}"
    if page.cascade and (page.cascade.lines or page.cascade.more):
        count = len(page.cascade.lines) + page.cascade.more
        yield "not followed", f"{pluralize(count, 'decision')}: cascan tree {page.scan.scan_id}"


def _name_outcome(scan: Scan) -> str:
    return f", {scan.outcome}" if scan.outcome else ""


def _describe_child(entry: ChildScan) -> str:
    if entry.scan:
        findings = pluralize(entry.scan.findings.count, "finding")
        return f"{entry.scan.scan_id} {entry.scan.state}{_name_outcome(entry.scan)}, {findings}"
    return f"{entry.child.scan_id or entry.child.name} {'requested' if entry.child.sent else 'reserved'}"


def suggest_commands(page: ScanPage) -> list[str]:
    """What to type next."""
    scan, scan_id = page.scan, page.scan.scan_id
    if not scan.shards and not scan.members:
        return ["cascan check TARGET…  says why a request is refused, without sending it"]
    if scan.state is ScanState.SUSPENDED:
        return [f"cascan resume {scan_id}", f"cascan cancel {scan_id}"]
    if scan.state not in FINAL_STATES:
        return [f"cascan watch {scan_id}", f"cascan cancel {scan_id}"]
    commands = [f"cascan findings {scan_id}"] if scan.findings.count else []
    if page.changes and page.changes.new:
        commands.append(f"cascan findings {scan_id} --new")
    if scan.changes:
        commands.append(f"cascan diff {scan_id}")
    if page.children or page.cascade:
        commands.append(f"cascan tree {scan_id}")
    return [*commands, f"cascan report {scan_id} --as html -o report.html"]


def scan_page_to_json(page: ScanPage) -> dict[str, Any]:
    scan = page.scan
    origin = scan.request.origin if scan.request else None
    return scan_summary(scan) | {
        "exclude": scan.request.exclude if scan.request else (),
        "outcomeMeaning": OUTCOMES[scan.outcome] if scan.outcome else "",
        "sinceLastScan": _changes_to_json(page.changes) if page.changes else None,
        "parentScan": origin.parent_scan if origin else "",
        "rootScan": origin.root_scan if origin else "",
        "byRule": origin.rule if origin else "",
        "children": [_child_to_json(entry) for entry in page.children],
        "notFollowed": len(page.cascade.lines) + page.cascade.more if page.cascade else 0,
        "next": suggest_commands(page),
    }


def _changes_to_json(changes: SeriesChanges) -> dict[str, Any]:
    return {
        "scan": changes.earlier.scan_id,
        "requestedAt": changes.earlier.requested_at,
        "new": changes.new,
        "firstCovered": changes.first_covered,
        "resolved": changes.resolved,
        "notCovered": changes.not_covered,
    }


def _child_to_json(entry: ChildScan) -> dict[str, Any]:
    scan = entry.scan
    return {
        "id": entry.child.scan_id,
        "rule": entry.child.rule,
        "name": scan.name if scan else entry.child.name,
        "state": scan.state if scan else "",
        "outcome": scan.outcome if scan else None,
        "findings": scan.findings.count if scan else 0,
    }
