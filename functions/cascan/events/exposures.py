"""The moves in the life of an exposure, each an event of its own."""

from __future__ import annotations

from datetime import date, datetime

from cascan.events.message import BusEvent
from cascan.ids import derive_event_id
from cascan.model.exposure import Exposure, ExposureMove, ExposureState, MoveKind
from cascan.model.finding import Severity
from cascan.model.scan import Scan

EXPECTATION = "expectation"  # the kind of an ExposureExpiring that is about an entry of the file


class ExposureEvent(BusEvent, frozen=True, kw_only=True):
    """The fields of every move. `scan_id` is that of the look that made it; empty: no look did.

    `name`, `labels` and `requested_by` are those of this scan, and empty where it has been removed.
    Where a person made the move, `requested_by` is that person.
    """

    exposure_id: str
    kind: str
    address: str
    hostname: str
    protocol: str
    port: int
    state: ExposureState  # after the move
    severity: Severity  # after the severity rules
    owner: str  # of the group in the file
    sentence: str  # why it is an exposure
    line: int  # of the file; 0: no line is the reason
    episode: int  # how often it has been opened
    first_seen: datetime | None
    last_seen: datetime | None
    report_key: str  # of the look that made the move
    by: str  # the principal who made the move
    why: str
    until: date | None  # the last day of an acceptance, or of an entry


class ExposureOpened(ExposureEvent, frozen=True, kw_only=True):
    """A look shows the exposure for the first time."""


class ExposureConfirmed(ExposureEvent, frozen=True, kw_only=True):
    """A second look in a row shows it."""


class ExposureAcknowledged(ExposureEvent, frozen=True, kw_only=True):
    """A person knows of it."""


class ExposureAccepted(ExposureEvent, frozen=True, kw_only=True):
    """A person or a severity rule accepts it until a date."""


class ExposureResolved(ExposureEvent, frozen=True, kw_only=True):
    """It was confirmed, and two looks in a row do not show it."""


class ExposureWithdrawn(ExposureEvent, frozen=True, kw_only=True):
    """One look showed it, and the next one does not."""


class ExposureReopened(ExposureEvent, frozen=True, kw_only=True):
    """A look shows it again, its acceptance has ended, or a person took a decision back."""


class ExposureExpiring(ExposureEvent, frozen=True, kw_only=True):
    """Its acceptance ends soon. Or, with the kind `expectation`, an entry of the file does."""


MOVES: dict[MoveKind, type[ExposureEvent]] = {
    MoveKind.OPENED: ExposureOpened,
    MoveKind.CONFIRMED: ExposureConfirmed,
    MoveKind.ACKNOWLEDGED: ExposureAcknowledged,
    MoveKind.ACCEPTED: ExposureAccepted,
    MoveKind.RESOLVED: ExposureResolved,
    MoveKind.WITHDRAWN: ExposureWithdrawn,
    MoveKind.REOPENED: ExposureReopened,
    MoveKind.EXPIRING: ExposureExpiring,
}


def build_exposure_event(exposure: Exposure, move: ExposureMove, scan: Scan | None = None) -> ExposureEvent:
    """The event that announces the move. Announced again, the move has the same event id.

    `scan`: of the look that made the move. None: no look made it, or the scan has been removed.
    """
    decided = move.at if move.by else ""
    event_id = derive_event_id(exposure.exposure_id, move.kind, move.episode, decided, move.until or "")
    subject = exposure.subject
    return MOVES[move.kind](
        event_id=event_id,
        scan_id=move.scan_id,
        cause_id=move.report_key or move.by or event_id,
        at=move.at,
        name=scan.name if scan else "",
        labels=scan.labels if scan else {},
        requested_by=move.by or (scan.requested_by if scan else ""),
        vantage=subject.vantage,
        exposure_id=exposure.exposure_id,
        kind=subject.kind,
        address=subject.address,
        hostname=exposure.hostname,
        protocol=subject.protocol,
        port=subject.port,
        state=move.state,
        severity=exposure.severity,
        owner=exposure.owner,
        sentence=exposure.sentence,
        line=exposure.line,
        episode=move.episode,
        first_seen=exposure.first_seen,
        last_seen=exposure.last_seen,
        report_key=move.report_key,
        by=move.by,
        why=move.why,
        until=move.until,
    )


def build_expiring_entry_event(
    *, line: int, who: str, owner: str, why: str, until: date, at: datetime
) -> ExposureEvent:
    """The event that an entry of the file ends soon. It is announced once for each date."""
    return ExposureExpiring(
        event_id=derive_event_id(EXPECTATION, who, line, until),
        scan_id="",
        cause_id="",
        at=at,
        name="",
        vantage="",
        exposure_id="",
        kind=EXPECTATION,
        address="",
        hostname="",
        protocol="",
        port=0,
        state=ExposureState.ACCEPTED,
        severity=Severity.INFORMATIONAL,
        owner=owner,
        sentence=f"line {line} expects {who} until {until}",
        line=line,
        episode=0,
        first_seen=None,
        last_seen=None,
        report_key="",
        by="",
        why=why,
        until=until,
    )
