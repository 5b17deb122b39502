"""The part of the page that a browser without scripts shows: the numbers, and the most severe findings."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from cascan.html_report.build_report import Report
from cascan.html_report.finding_columns import SEVERITIES
from cascan.limits import MAX_SUMMARY_ROWS


def render_summary(report: Report) -> str:
    """HTML, in which every text is escaped."""
    return "\n".join(_render_lines(report))


def _render_lines(report: Report) -> Iterator[str]:
    scan, findings = report.sections["scan"], report.findings
    yield "<p>This page needs JavaScript to show everything. This is its summary.</p>"
    yield f"<p>{escape(describe_since(report))}</p>"
    yield f"<p>Outcome: {escape(scan['outcome'] or scan['state'])}. {escape(scan['sentence'])}</p>"
    counts = (f"{findings.counts[name]:,} {name}" for name in SEVERITIES if findings.counts[name])
    yield f"<p>Findings: {escape(', '.join(counts) or 'none')}</p>"
    for note in report.notes:
        yield f"<p>{escape(note)}</p>"
    if report.sections["gaps"]["reasons"]:
        yield "<h2>What was not scanned</h2><ul>"
        for reason in report.sections["gaps"]["reasons"]:
            yield f"<li>{escape(reason['title'])}: {escape(reason['sentence'])}</li>"
        yield "</ul>"
    rows = sorted(range(len(findings)), key=lambda row: (findings.severities[row], row))[:MAX_SUMMARY_ROWS]
    if rows:
        caption = f"The {len(rows)} most severe of {len(findings):,} findings"
        yield f"<table><caption>{caption}</caption>"
        yield "<thead><tr><th>Severity</th><th>Address</th><th>Port</th><th>Finding</th></tr></thead><tbody>"
        yield from (_render_row(report, row) for row in rows)
        yield "</tbody></table>"


def _render_row(report: Report, row: int) -> str:
    findings, texts = report.findings, report.texts.texts
    numbers = findings.numbers
    address = texts[findings.hosts["address"][numbers["host"][row]]]
    severity = SEVERITIES[findings.severities[row] - ord("0")]
    cells = severity, address, str(numbers["port"][row] or ""), texts[numbers["name"][row]]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def describe_since(report: Report) -> str:
    """`Since your last scan: 3 new, 1 resolved, 0 not covered`"""
    since = report.sections["since"]
    if not since["earlier"]:
        return "This is the first scan of its series, so nothing counts as new."
    if not since["isCompared"]:
        return "The last scan of the series has too many findings to be compared."
    return (
        f"Since your last scan: {since['new']:,} new, {since['resolved']:,} resolved, "
        f"{since['notCovered']:,} not covered"
    )
