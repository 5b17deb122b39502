"""Why there is a finding, as a page of text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascan.clock import to_wire, utc_now
from cascan.findings.to_json import scan_fields, to_json
from cascan.limits import MAX_SIGHTINGS_READ
from cascan.queries.describe_detail import describe_detail
from cascan_cli.output.fields import print_block, print_fields, print_lines, print_title
from cascan_cli.output.text import pluralize

if TYPE_CHECKING:
    from cascan.queries.explain_finding import Explanation, RuleEffect


def print_explanation(explanation: Explanation) -> None:
    finding, scan = explanation.finding, explanation.scan
    print_fields(
        [
            ("finding", finding.name),
            ("severity", finding.severity.value),
            ("category", finding.category),
            ("location", finding.location),
            ("detail", describe_detail(finding, utc_now())),
            ("scan", f"{scan.scan_id} ({scan.name}) of {to_wire(scan.requested_at)}"),
            ("vantage", explanation.vantage),
            ("id", finding.id),
            ("fingerprint", finding.fingerprint),
        ]
    )
    print_title("Why")
    source = f"script {explanation.script}" if explanation.script else "nmap's own result"
    print_lines([f"{finding.description.rstrip('.')}. Source: {source}."])
    if explanation.evidence and explanation.script:
        print_title("Evidence, as nmap wrote it")
        print_block(explanation.evidence)
    elif explanation.evidence:
        print_title("Evidence")
        print_lines([explanation.evidence])
    print_title("What it means")
    print_lines([explanation.advice.meaning])
    print_title("What to do")
    print_lines([explanation.advice.action])
    if explanation.rules:
        print_title("Severity rules")
        print_lines(_describe_rules(explanation.rules, finding.severity.value))
    print_title("Since when")
    print_lines(_describe_times(explanation))


def _describe_rules(effect: RuleEffect, severity: str) -> list[str]:
    lines = [f"changed by {', '.join(effect.rules)}"]
    if effect.severity_before:
        lines.append(f"its severity was {effect.severity_before}, and is {severity}")
    if effect.suppressed:
        lines.append(f"suppressed: {effect.suppressed}")
    if effect.accepted_until:
        lines.append(f"accepted until {effect.accepted_until}: {effect.accepted_reason}")
    if effect.acceptance_ended:
        lines.append(f"it was accepted until {effect.acceptance_ended}, which has passed")
    return lines


def _describe_times(explanation: Explanation) -> list[str]:
    lines = []
    if explanation.first_seen and explanation.last_seen:
        first, last = to_wire(explanation.first_seen), to_wire(explanation.last_seen)
        subject = "the port was seen open" if "port" in explanation.finding.attributes else "the host was seen up"
        lines.append(f"{subject} first at {first}, last at {last}")
    if explanation.seen_in:
        scan_id, at = explanation.seen_in[-1]
        compared = pluralize(explanation.scans_compared, "scan")
        limit = ", not looked further back" if explanation.scans_compared == MAX_SIGHTINGS_READ else ""
        lines.append(
            f"{len(explanation.seen_in)} of the {compared} before in the series had it, the earliest {scan_id} of "
            f"{to_wire(at)}{limit}"
        )
    elif explanation.scans_compared:
        lines.append(f"none of the {pluralize(explanation.scans_compared, 'scan')} before in the series had it")
    else:
        lines.append("there is no earlier scan of the series to compare with")
    return lines


def explanation_to_json(explanation: Explanation) -> dict[str, Any]:
    effect = explanation.rules
    return {
        "finding": to_json(explanation.finding, scan_fields(explanation.scan)),
        "scan": explanation.scan.scan_id,
        "vantage": explanation.vantage,
        "script": explanation.script,
        "evidence": explanation.evidence,
        "meaning": explanation.advice.meaning,
        "action": explanation.advice.action,
        "rules": _rules_to_json(effect) if effect else None,
        "firstSeen": explanation.first_seen,
        "lastSeen": explanation.last_seen,
        "seenIn": [{"scan": scan_id, "requestedAt": at} for scan_id, at in explanation.seen_in],
        "scansCompared": explanation.scans_compared,
    }


def _rules_to_json(effect: RuleEffect) -> dict[str, Any]:
    return {
        "names": effect.rules,
        "severityBefore": effect.severity_before,
        "suppressed": effect.suppressed,
        "acceptedUntil": effect.accepted_until,
        "acceptedReason": effect.accepted_reason,
        "acceptanceEnded": effect.acceptance_ended,
    }
