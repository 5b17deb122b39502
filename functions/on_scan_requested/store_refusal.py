"""A refused request → an Errored scan with the reasons, under the id that its submitter knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from cascan.errors import Rejected, RequestRefused
from cascan.gateways import ScanGateways, Scans
from cascan.ids import derive_scan_id
from cascan.limits import MAX_REASON_CHARS, MAX_REASONS
from cascan.log_context import add_log_context
from cascan.model.refusal import Refusal
from cascan.model.request import ScanRequest
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState
from cascan.planning.rates import ScanDefaults
from cascan.scans.close import announce_end
from cascan.traces import derive_trace_id
from on_scan_requested.message import Identity, Message

GIVEN_UP = (
    "planning it never came to an end: the function ran out of time or memory, "
    "or its services did not answer, at every delivery of the message; "
    "scans/<scan id>/request in the report bucket holds the request"
)


@dataclass(frozen=True, slots=True)
class PlanningResult:
    """The result of planning a request, for the log."""

    scan_id: str
    series: str
    refused: str  # the reasons, or empty
    shards: int
    addresses: int
    lane: str


def store_refusal(
    message: Message,
    identity: Identity,
    request: ScanRequest | None,
    refused: RequestRefused,
    *,
    defaults: ScanDefaults,
    gateways: ScanGateways,
) -> PlanningResult:
    """Store the refusal under the id that the scan would have had, and announce it.

    If that id belongs to another request, the id derives from the message. A repeated delivery
    announces it again.
    """
    scan = _refused_scan(message, identity, request, refused, now=gateways.clock())
    scan = replace(scan, expires_after_s=defaults.choose_expiry_s(request or ScanRequest()))
    stored = _create(scan, gateways.table)
    if stored.request_digest != message.digest:  # another request's, under the same key
        stored = _create(replace(scan, scan_id=derive_scan_id(message.message_id)), gateways.table)
    add_log_context(scan_id=stored.scan_id, trace_id=stored.trace_id)
    if stored.state in FINAL_STATES:
        announce_end(stored, gateways)
    return PlanningResult(stored.scan_id, stored.name, scan.error_description, 0, 0, "")


def _refused_scan(
    message: Message,
    identity: Identity,
    request: ScanRequest | None,
    refused: RequestRefused,
    *,
    now: datetime,
) -> Scan:
    origin = request.origin if request and identity.is_issued else None
    refusals = tuple(_shorten(refusal) for refusal in refused.refusals[: MAX_REASONS + 1])
    return Scan(
        scan_id=identity.scan_id,
        name=request.name if request else "",
        state=ScanState.ERRORED,
        requested_at=now,
        finished_at=now,
        cause_id=origin.cause_id if origin else message.message_id,
        hop=origin.hop if origin else 0,
        request=request,
        requested_by=message.requested_by,
        trace_id=derive_trace_id(identity.scan_id, now),
        request_digest=message.digest,
        outcome=Outcome.FAILED,
        error_description="; ".join(refusal.reason for refusal in refusals),
        refusals=refusals,
    )


def _create(scan: Scan, table: Scans) -> Scan:
    """The stored scan: this one, or the one that has its id already."""
    try:
        created = table.create_scan(scan)
    except Rejected:  # the item would be too large with both the request and the reasons
        scan = replace(scan, request=None)
        created = table.create_scan(scan)
    return scan if created else table.get_scan(scan.scan_id) or scan


def _shorten(refusal: Refusal) -> Refusal:
    """The refusal with limited texts: they may quote a request of any length."""
    return Refusal(refusal.what[:MAX_REASON_CHARS], refusal.rule, refusal.reason[:MAX_REASON_CHARS])
