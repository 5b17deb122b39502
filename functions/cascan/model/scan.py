"""A scan: one accepted or refused request, and how far it got."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.model.identity import NetworkIdentity
from cascan.model.reason import ReasonCode, Reasons
from cascan.model.refusal import Refusal
from cascan.model.request import ScanRequest
from cascan.model.usage import NO_USAGE, CostBasis, ScanCost, Usage
from cascan.model.vantage import DEFAULT_VANTAGE


class ScanState(StrEnum):
    """secureCodeBox's states, in the order a scan passes them; a stage that takes no time of its
    own is skipped.
    """

    INIT = "Init"
    SUSPENDED = "Suspended"
    SCANNING = "Scanning"
    SCAN_COMPLETED = "ScanCompleted"
    PARSING = "Parsing"
    PARSE_COMPLETED = "ParseCompleted"
    HOOK_PROCESSING = "HookProcessing"
    DONE = "Done"
    ERRORED = "Errored"
    CANCELLED = "Cancelled"


FINAL_STATES = frozenset({ScanState.DONE, ScanState.ERRORED, ScanState.CANCELLED})
# Its shards may be released and run
UNDER_WAY = frozenset({ScanState.INIT, ScanState.SCANNING, ScanState.PARSING})


MAX_PARALLEL = 1_000_000  # more shards than a scan can have: no limit


class Outcome(StrEnum):
    """What a scan's result is worth; nmap's exit code does not say."""

    COMPLETE = "complete"  # every address of every shard was scanned and is accounted for
    PARTIAL = "partial"  # some of it is missing
    TIMED_OUT = "timed-out"  # a host or the scan ran into its time limit
    UNRESOLVED = "unresolved"  # a name has no address
    NOTHING_ANSWERED = "nothing-answered"  # everything was scanned; no host was up
    FAILED = "failed"  # a shard without any result


ACCOUNTED = frozenset({Outcome.COMPLETE, Outcome.NOTHING_ANSWERED})  # nothing is missing
NO_REASONS = Reasons()


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Findings of a scan, as secureCodeBox's status counts them.

    Findings that a rule suppressed or accepted are among `count` and `categories`; of `severities`
    they have kinds of their own, `(suppressed)` and `(accepted)`. See cascan.rules.severity.
    """

    count: int = 0
    severities: dict[str, int] = {}
    categories: dict[str, int] = {}


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """Who suspended a scan. `by` and `reason` are as the message says, `sender` is as SQS says."""

    at: datetime
    by: str = ""
    reason: str = ""
    sender: str = ""


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """One scan. `request` is None when the message could not be read at all."""

    scan_id: str
    name: str
    state: ScanState
    requested_at: datetime
    cause_id: str
    hop: int = 0
    request: ScanRequest | None = None
    # The principal that sent the request, as SQS names it: a user, or a role with its session. Empty in
    # scans of versions that did not store it
    requested_by: str = ""
    # Of the root scan, in X-Ray's form; empty in scans of versions that did not store it
    trace_id: str = ""
    # Of the message's body: it tells a repeat from another request under the same key
    request_digest: str = ""
    notes: tuple[str, ...] = ()  # what in the request has no effect
    vantage: str = DEFAULT_VANTAGE  # where it is scanned from
    # Of what its express shards see, if the express function is outside the workers' network; empty:
    # it does not
    express_vantage: str = ""
    # How hosts of these networks are known, as the operator had it when the scan was accepted. Not used
    # where the request says it
    identities: tuple[NetworkIdentity, ...] = ()
    # Ids of the scans that it consists of, one for each vantage; such a scan has no shards: `shards`
    # and its other counters count its members
    members: tuple[str, ...] = ()
    member_of: str = ""  # id of the scan that it is a member of
    shards: int = 0  # with those that were cut off from others since
    shards_open: int = 0  # not yet recorded, failed or cancelled: waiting or in flight
    shards_waiting: int = 0
    shards_in_flight: int = 0  # queued, running or reported
    parallel: int = MAX_PARALLEL  # how many of its shards may be in flight at once
    deadline_at: datetime | None = None  # the scan ends then, with what it found
    expires_after_s: int | None = None  # it is removed so long after its end; None: never
    # The hours in which it may run, as cascan.timing.windows reads them; empty: always
    windows: tuple[str, ...] = ()
    shard_outcomes: dict[str, int] = {}
    addresses: int = 0  # as planned: one for each name
    # Beyond those, once names are resolved; below 0: some names share an address
    extra_addresses: int = 0
    probes: int = 0  # addresses times ports, at most: how much there may be to find
    outcome: Outcome | None = None
    reasons: Reasons = Reasons()  # why the outcome is not complete; known when the scan has ended
    findings: Counts = Counts()
    findings_revision: int = 0  # how often `cascan reparse` made its findings anew
    hosts_up: int = 0
    changes: dict[str, int] = {}  # in the inventory, by kind, against earlier scans
    finished_at: datetime | None = None
    error_description: str = ""
    refusals: tuple[Refusal, ...] = ()  # why it was not run, where it was refused
    suspension: Suspension | None = None  # the last one by a message; also once the scan goes on
    announced: bool = False  # the event of its end was sent
    usage: Usage = NO_USAGE  # of its closed shards
    cost_basis: CostBasis | None = None  # None: an earlier version planned it, or it was refused
    cost: ScanCost | None = None  # once it has ended
    # The tokens of its shards are derived from it; no worker may read it. Empty: an earlier version
    # stored the scan
    shard_secret: str = ""

    def is_overdue(self, now: datetime) -> bool:
        """Its deadline has passed: no shard of it starts any more, and its open shards are closed."""
        return self.deadline_at is not None and self.deadline_at <= now

    @property
    def labels(self) -> dict[str, str]:
        return self.request.labels if self.request else {}

    @property
    def vantages_of_looks(self) -> tuple[str, ...]:
        """The vantages under which the history keeps what its shards see."""
        return (self.vantage, self.express_vantage) if self.express_vantage else (self.vantage,)

    @property
    def total_addresses(self) -> int:
        """The addresses that were to be scanned; a name without an address counts as one."""
        return self.addresses + self.extra_addresses


class ScanBrief(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker reads of a scan with every heartbeat: may its shards run now, and until when?"""

    state: ScanState
    deadline_at: datetime | None = None
    windows: tuple[str, ...] = ()
    halted: bool = False  # the whole stack


def combine_outcomes(shard_outcomes: dict[str, int], reasons: Reasons = NO_REASONS) -> Outcome:
    """A scan's outcome from its shards': complete only if each is; else the one flaw that they
    share, or partial.

    A name whose lookup failed may have an address: beside shards that were scanned it makes the
    scan partial.
    """
    outcomes = {Outcome(outcome) for outcome, count in shard_outcomes.items() if count > 0}
    if outcomes == {Outcome.FAILED}:
        return Outcome.FAILED
    flaws = outcomes - ACCOUNTED
    if not flaws:  # a part of a network without any host is complete as well
        return Outcome.COMPLETE if Outcome.COMPLETE in outcomes else Outcome.NOTHING_ANSWERED
    if len(flaws) > 1 or Outcome.FAILED in flaws:
        return Outcome.PARTIAL
    (flaw,) = flaws
    has_scanned_shards = outcomes != flaws
    if flaw is Outcome.UNRESOLVED and has_scanned_shards and reasons.counts.get(ReasonCode.LOOKUP_FAILED):
        return Outcome.PARTIAL
    return flaw
