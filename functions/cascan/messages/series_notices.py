"""Notices about a series after one of its scans: the digest, and whether the scan covered less.

The thread `coverage/<series>` begins when a scan covered less than the one before it. It is resolved
by a scan that covers again what the scan before the first loss did, its base. A statement names the
scan and the base, so neither a repeat nor a scan that comes late leads to a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cascan.clock import to_wire
from cascan.events import ScanCompleted
from cascan.limits import MAX_LOST_EXAMPLES
from cascan.messages.compare_series import LostPlace, SeriesComparison
from cascan.messages.fields import Fields
from cascan.messages.notices import KeyedNotice, build_notice_fields
from cascan.model.finding import Severity
from cascan.model.message import CLOSED_STEPS, Statement, Step
from cascan.model.scan import Scan

DIGEST = "digest"  # the kind of a notice that channels ask for
COVERAGE = "coverage"
CHANGES = {
    "PortOpened": "ports opened",
    "PortClosed": "ports closed",
    "ServiceChanged": "services changed",
    "HostAppeared": "hosts appeared",
    "HostGone": "hosts gone",
    "HostMoved": "hosts moved",
}


def build_digest(event: ScanCompleted, comparison: SeriesComparison | None) -> KeyedNotice:
    """What a scan of a series saw change, in one line. Only channels with `digest: true` get it.

    `comparison`: None: there is nothing to compare with, or too much; the digest has the event's own counts.
    """
    counts = [f"{number} {CHANGES.get(kind, kind)}" for kind, number in sorted(event.changes.items()) if number]
    changes = ", ".join(counts)
    if comparison is None:
        title = f"{event.name}: {sum(event.changes.values())} changes"
        sentence = f"Since the last scan: {changes or 'nothing changed'}."
    else:
        title = f"{event.name}: {comparison.new} new, {comparison.resolved} resolved"
        sentence = f"Since your last scan: {_describe_findings(comparison)}."
        sentence += f" Inventory: {changes}." if changes else ""
    sentence += f" It is {event.outcome.value}."
    fields = build_notice_fields(
        DIGEST, title, sentence, Severity.INFORMATIONAL, subject=event.name, vantage=event.vantage
    )
    return f"scan/{event.scan_id}/digest", fields


def _describe_findings(comparison: SeriesComparison) -> str:
    first = f" ({comparison.first_covered} more where it did not look before)" if comparison.first_covered else ""
    return f"{comparison.new} new{first}, {comparison.resolved} resolved, {comparison.not_covered} not covered"


class CoverageDetail(NamedTuple):
    """The detail of a statement about coverage: the scan, and its base."""

    requested_at: str  # of the scan, as `to_wire` writes it, so that the order of texts is that of time
    scan_id: str
    base_id: str

    @classmethod
    def parse(cls, detail: str) -> CoverageDetail | None:
        parts = detail.split("/")
        return cls(*parts) if len(parts) == len(cls._fields) else None

    def __str__(self) -> str:
        return "/".join(self)


def build_coverage_key(series: str) -> str:
    return f"{COVERAGE}/{series}"


def find_base_id(statements: Iterable[Statement | None]) -> str:
    """The id of the scan with which the open threads of the channels compare; empty: none is open."""
    unresolved = [statement for statement in statements if statement and statement.step not in CLOSED_STEPS]
    details = sorted(filter(None, (CoverageDetail.parse(statement.detail) for statement in unresolved)))
    return details[0].base_id if details else ""


def build_loss(scan: Scan, comparison: SeriesComparison, base_id: str) -> tuple[Fields, str]:
    """The notice that a scan covered less than the one before it, and the detail of its statement."""
    hosts, places = comparison.lost_hosts, len(comparison.lost)
    title = f"Coverage shrank: {scan.name}: {hosts} hosts ({Severity.MEDIUM.value})"
    when = to_wire(comparison.earlier.requested_at)
    examples = ", ".join(_name_places(comparison.lost))
    outcome = scan.outcome.value if scan.outcome else scan.state.value
    sentence = (
        f"The scan of {when} found something on {hosts} hosts, at {places} places, where this one did not look: "
        f"{examples}. It is {outcome}."
    )
    return _build_fields(scan, title, sentence, Severity.MEDIUM), _to_detail(scan, base_id)


def build_recovery(scan: Scan, base: Scan) -> tuple[Fields, str]:
    """The notice that coverage is back, and the detail of its statement."""
    title = f"Coverage is back: {scan.name}"
    sentence = f"The scan looked again where the scan of {to_wire(base.requested_at)} found something."
    fields = _build_fields(scan, title, sentence, Severity.INFORMATIONAL)
    return fields | {"step": Step.RESOLVED.value}, _to_detail(scan, base.scan_id)


def _build_fields(scan: Scan, title: str, sentence: str, severity: Severity) -> Fields:
    vantage = "" if scan.members else scan.vantage
    return build_notice_fields(COVERAGE, title, sentence, severity, subject=scan.name, vantage=vantage)


def _to_detail(scan: Scan, base_id: str) -> str:
    return str(CoverageDetail(to_wire(scan.requested_at), scan.scan_id, base_id))


def _name_places(lost: Iterable[LostPlace]) -> Iterator[str]:
    """A place of each of the first hosts."""
    by_host: dict[tuple[str, str], str] = {}
    for vantage, address, port in lost:
        by_host.setdefault((vantage, address), f"{address} {port}".rstrip())
    names = list(by_host.values())
    yield from names[:MAX_LOST_EXAMPLES]
    if len(names) > MAX_LOST_EXAMPLES:
        yield f"and {len(names) - MAX_LOST_EXAMPLES} more hosts"
