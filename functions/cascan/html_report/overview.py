"""A scan and its series → the parts of the report that are not findings, as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from cascan.clock import to_wire
from cascan.findings.redact import redact_parameters
from cascan.gateways import Shards
from cascan.html_report.outcome_words import describe_outcome, title_reason
from cascan.html_report.texts import make_visible
from cascan.limits import MAX_REPORT_GAPS, MAX_TIMELINE_SCANS
from cascan.model.exposure import Exposure
from cascan.model.scan import ACCOUNTED, Scan

Rows = list[dict[str, Any]]


def describe_scan(scan: Scan, *, shows_secrets: bool) -> dict[str, Any]:
    """What was asked, by whom, and how it went."""
    request = scan.request
    parameters = request.parameters if request else ()
    return {
        "id": scan.scan_id,
        "name": make_visible(scan.name),
        "state": scan.state,
        "outcome": scan.outcome or "",
        "sentence": make_visible(describe_outcome(scan)),
        "requestedAt": to_wire(scan.requested_at),
        "finishedAt": _to_time(scan.finished_at),
        "vantage": scan.vantage,
        "targets": [make_visible(target) for target in (request.targets if request else ())[:MAX_REPORT_GAPS]],
        "targetCount": len(request.targets) if request else 0,
        "parameters": make_visible(" ".join(parameters if shows_secrets else redact_parameters(parameters))),
        "requestedBy": make_visible(scan.requested_by),
        "authorization": make_visible(request.authorization if request else ""),
        "contact": make_visible(request.contact if request else ""),
        "labels": {make_visible(key): make_visible(value) for key, value in scan.labels.items()},
        "notes": [make_visible(note) for note in scan.notes],
        "addresses": scan.total_addresses,
        "hostsUp": scan.hosts_up,
        "shards": scan.shards,
        "shardsOpen": scan.shards_open,
        "shardOutcomes": scan.shard_outcomes,
        "findings": scan.findings.count,
    }


def list_gaps(scan: Scan, shards: Shards) -> dict[str, Any]:
    """What was not scanned, and why: reasons of the outcome, shards without a whole result, and what was excluded."""
    reasons = [
        {
            "title": title_reason(reason.code),
            "subject": make_visible(reason.subject),
            "sentence": make_visible(reason.sentence),
        }
        for reason in scan.reasons.listed
    ]
    excluded = list(scan.request.exclude) if scan.request else []
    incomplete = list(_list_incomplete_shards(scan, shards))
    return {
        "reasons": reasons,
        "moreReasons": scan.reasons.count - len(reasons),
        "excluded": [make_visible(target) for target in excluded[:MAX_REPORT_GAPS]],
        "excludedCount": len(excluded),
        "shards": incomplete[:MAX_REPORT_GAPS],
        "moreShards": max(0, len(incomplete) - MAX_REPORT_GAPS),
        "windows": list(scan.windows),
    }


def _list_incomplete_shards(scan: Scan, shards: Shards) -> Iterator[dict[str, Any]]:
    if scan.outcome in ACCOUNTED:  # which it is only if every shard is
        return
    for scan_id in scan.members or (scan.scan_id,):
        for shard in shards.shards(scan_id):
            if shard.outcome not in ACCOUNTED:
                yield {
                    "number": shard.number,
                    "targets": make_visible(shard.targets_summary),
                    "state": shard.state,
                    "outcome": shard.outcome or "",
                    "error": make_visible(shard.error_description),
                }


def list_series(scan: Scan, scans: Iterable[Scan]) -> Rows:
    """The latest ended scans of the series up to `scan`, the oldest first. `scans`: the newest first."""
    place = scan.name, scan.vantage, bool(scan.member_of)
    rows: Rows = []
    for other in scans:
        same_place = (other.name, other.vantage, bool(other.member_of)) == place
        is_counted = other.finished_at is not None and bool(other.shards or other.members)
        if same_place and (other.requested_at, other.scan_id) <= (scan.requested_at, scan.scan_id) and is_counted:
            rows.append(
                {
                    "id": other.scan_id,
                    "at": to_wire(other.requested_at),
                    "outcome": other.outcome or other.state,
                    "hostsUp": other.hosts_up,
                    "findings": other.findings.count,
                    "severities": other.findings.severities,
                }
            )
        if len(rows) == MAX_TIMELINE_SCANS:
            break
    return rows[::-1]


def describe_exposure(exposure: Exposure) -> dict[str, Any]:
    subject = exposure.subject
    accepted = exposure.acceptance
    return {
        "id": exposure.exposure_id,
        "state": exposure.state,
        "until": accepted.until.isoformat() if accepted else "",
        "severity": exposure.severity,
        "since": _to_time(exposure.first_seen),
        "owner": make_visible(exposure.owner),
        "vantage": subject.vantage,
        "address": make_visible(subject.address),
        "name": make_visible(exposure.hostname),
        "port": f"{subject.port}/{subject.protocol}" if subject.protocol else "",
        "kind": make_visible(subject.kind),
        "sentence": make_visible(exposure.sentence),
    }


def clean_tree(tree: Any, *, shows_secrets: bool) -> Any:
    """The values of a cascade with visible texts; script arguments without passwords, unless it shows secrets."""
    if isinstance(tree, str):
        return make_visible(tree)
    if isinstance(tree, dict):
        values = dict(tree)
        if not shows_secrets and "parameters" in values:
            values["parameters"] = redact_parameters(values["parameters"])
        return {key: clean_tree(value, shows_secrets=shows_secrets) for key, value in values.items()}
    if isinstance(tree, list | tuple):
        return [clean_tree(value, shows_secrets=shows_secrets) for value in tree]
    return tree


def _to_time(moment: datetime | None) -> str:
    return to_wire(moment) if moment else ""
