"""An exposure: something that an operator should know of a port of a host, with a life of its own.

Its id says what it is about: vantage, address, port and kind. So the same exposure keeps its id
over all scans that see it.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec

from cascan.model.finding import Severity
from cascan.model.inventory import PortKey

FINDING_PREFIX = "finding:"  # of the kind of an exposure that a finding makes
SUPPRESSED_UNTIL = date.max  # of an acceptance that a suppressing severity rule makes
LookInstant = tuple[datetime, str]


class ExposureKind(StrEnum):
    """The kinds apart from `finding:<category>`. All but `change` are verdicts of the judge."""

    UNEXPECTED_OPEN = "unexpected-open"
    OTHER_SERVICE = "other-service"
    MISSING = "missing"
    ABSENT = "absent"
    UNTESTED = "untested"
    CHANGE = "change"


class ExposureState(StrEnum):
    OPEN = "open"  # one look saw it
    CONFIRMED = "confirmed"  # two looks in a row saw it
    ACKNOWLEDGED = "acknowledged"  # a person knows of it
    ACCEPTED = "accepted"  # until a date, for a reason
    RESOLVED = "resolved"


ACTIVE_STATES = frozenset(ExposureState) - {ExposureState.RESOLVED}


class MoveKind(StrEnum):
    """Named as the events that announce them."""

    OPENED = "ExposureOpened"
    CONFIRMED = "ExposureConfirmed"
    ACKNOWLEDGED = "ExposureAcknowledged"
    ACCEPTED = "ExposureAccepted"
    RESOLVED = "ExposureResolved"
    WITHDRAWN = "ExposureWithdrawn"
    REOPENED = "ExposureReopened"
    EXPIRING = "ExposureExpiring"


class ExposureSubject(msgspec.Struct, frozen=True, kw_only=True):
    """What an exposure is about."""

    vantage: str
    address: str
    kind: str  # an ExposureKind, or `finding:<category>`
    protocol: str = ""  # empty: the host itself
    port: int = 0

    @property
    def key(self) -> PortKey:
        return self.protocol, self.port


class JudgedLook(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one look at the port shows the exposure."""

    seen_at: datetime
    report_key: str  # of the run; two looks of one run are one
    holds: bool
    scan_id: str = ""

    @property
    def order(self) -> LookInstant:
        return self.seen_at, self.report_key


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    by: str  # a principal
    at: datetime
    why: str = ""


class ExposureAcceptance(msgspec.Struct, frozen=True, kw_only=True):
    by: str  # a principal
    at: datetime
    until: date  # the last day, UTC
    why: str
    rule: str = ""  # the severity rule that accepts or suppresses it; empty: a person


class ExposureMove(msgspec.Struct, frozen=True, kw_only=True):
    """One step of its life, which an event announces."""

    kind: MoveKind
    at: datetime
    episode: int
    state: ExposureState  # after the move
    by: str = ""  # a principal; empty: a look, or the time
    why: str = ""
    until: date | None = None
    scan_id: str = ""  # of the look that made the move
    report_key: str = ""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of it. It changes only through cascan.exposure.life."""

    exposure_id: str
    subject: ExposureSubject
    state: ExposureState = ExposureState.RESOLVED
    severity: Severity = Severity.MEDIUM  # after the severity rules
    severity_rules: tuple[str, ...] = ()  # names of the rules that match it
    found_severity: Severity | None = None  # of the finding; None: the kind decides
    hostname: str = ""
    owner: str = ""  # of the group in the file
    sentence: str = ""  # why it is an exposure
    line: int = 0  # of the file; 0: no line is the reason
    judged_by: int = 0  # the version of the file
    looks: tuple[JudgedLook, ...] = ()  # the newest MAX_LOOKS_PER_EXPOSURE, the oldest first
    first_seen: datetime | None = None  # the oldest look that showed it
    last_seen: datetime | None = None  # the newest look that showed it
    changed_at: datetime | None = None  # when it came into its state
    # Openings are counted from 1. An opening announces each kind of move once.
    episode: int = 0
    announced: tuple[MoveKind, ...] = ()  # in this episode
    warned_of: date | None = None  # the end of an acceptance that was announced ahead
    acknowledgement: Acknowledgement | None = None  # ends with the episode
    acceptance: ExposureAcceptance | None = None
    # Moves that are stored, and whose events may not be on the bus yet
    pending: tuple[ExposureMove, ...] = ()
    revision: int = 0  # grows with every change in the table

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def is_new(self) -> bool:
        """No look has shown it."""
        return self.episode == 0


class StoredExpectations(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's file of expected exposure. `version` counts from 1."""

    version: int
    applied_at: datetime
    text: str
    applied_by: str = ""  # a principal


class ExposureDay(msgspec.Struct, frozen=True, kw_only=True):
    """The daily check of what ends with a date, and of what is untested."""

    due_at: datetime  # the next one
    done_at: datetime | None = None  # the last one
    # Ends of entries that were announced ahead, as `<who>/<line>/<date>`
    warned_of: tuple[str, ...] = ()
