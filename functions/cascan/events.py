"""Every message that crosses a function's edge, to and from the wire.

On the bus an event is `{"Source": "cascan", "DetailType": <class name>, "Detail": <the fields below>}`; on a queue the
fields are the body. A field is added without notice; `version` changes when one is renamed, removed or re-read.
Each carries `scan_id`, `cause_id` (the id of the message or event that led to it) and `hop` (0 for a person's request).
docs/events.md shows one of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec

from cascan.errors import MalformedMessage
from cascan.ids import ReportKey, event_id_of
from cascan.model.inventory import Change, ChangeKind, Sighting
from cascan.model.scan import Counts, Outcome, Scan, ScanState

SOURCE = "cascan"
VERSION = 1
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)  # what decoding a stranger's bytes raises
SPOT_IS_SHORT = frozenset({"SpotInterruption", "TaskFailedToStart"})  # stop codes of ECS
M = TypeVar("M", bound="Message")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries."""

    scan_id: str
    cause_id: str
    hop: int = 0
    version: int = VERSION

    def to_wire(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_wire(cls: type[M], body: str | bytes) -> M:
        """Raises: MalformedMessage: not this message, or a version we do not know."""
        try:
            message = msgspec.json.decode(body, type=cls)
        except UNREADABLE as exc:
            raise MalformedMessage(f"not a {cls.__name__} message: {exc}") from exc
        if message.version != VERSION:
            raise MalformedMessage(f"{cls.__name__} version {message.version} is not version {VERSION}")
        return message


class ShardQueued(Message, frozen=True, kw_only=True):
    """A shard waits for a worker. The shard itself is read from the table by whoever claims it."""

    shard: int


class BusEvent(Message, frozen=True, kw_only=True):
    """What every event on the bus carries: enough for a rule to match on."""

    event_id: str  # derived: the same happening is announced under the same id
    at: datetime
    name: str  # the series
    labels: dict[str, str] = {}


class ScanPlanned(BusEvent, frozen=True, kw_only=True):
    """A request was accepted, and its shards are queued."""

    scan_type: str
    addresses: int
    shards: int
    lanes: dict[str, int]  # shards that were queued, by lane: express, connect, raw


class ChangeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How much a report, or a scan, changed in the inventory, by kind."""

    kinds: dict[str, int] = {}  # against an earlier scan
    baseline: dict[str, int] = {}  # seen for the first time where nothing had looked before: in no event of its own
    announced: int = 0  # of `kinds`, in an event of its own


class HostChange(BusEvent, frozen=True, kw_only=True):
    """A host differs from what the last scan of its address saw."""

    shard: int
    report_key: str
    address: str
    hostname: str
    before: Sighting
    after: Sighting


class PortChange(HostChange, frozen=True, kw_only=True):
    """A port differs from what the last scan that covered it saw."""

    protocol: str
    port: int


class HostAppeared(HostChange, frozen=True, kw_only=True):
    """A host is up at an address where the last scan found none."""


class HostGone(HostChange, frozen=True, kw_only=True):
    """A scan asked for the address of a host, in full, and the host was not up."""


class PortOpened(PortChange, frozen=True, kw_only=True):
    """A port is open that was not."""


class PortClosed(PortChange, frozen=True, kw_only=True):
    """A port that was open is not: `after` says whether it is closed or filtered."""


class ServiceChanged(PortChange, frozen=True, kw_only=True):
    """The same port is open, and something else answers: another service, product or version."""


class FindingsRecorded(BusEvent, frozen=True, kw_only=True):
    """One shard's report was read, and its findings are in the table."""

    shard: int
    report_key: str
    outcome: Outcome
    hosts_up: int
    findings: Counts
    changes: ChangeCounts = ChangeCounts()


class HostQuarantined(BusEvent, frozen=True, kw_only=True):
    """A report held hosts outside the scope, or that nobody asked for. They are in its XML and nowhere else."""

    shard: int
    report_key: str
    count: int  # host elements
    addresses: tuple[str, ...]  # the first MAX_QUARANTINED_ADDRESSES of them
    reason: str  # of the first


class ScanCompleted(BusEvent, frozen=True, kw_only=True):
    """The last shard was closed. `outcome` says what the answer is worth."""

    state: ScanState
    outcome: Outcome
    requested_at: datetime
    finished_at: datetime
    addresses: int
    shards: int
    shard_outcomes: dict[str, int]
    hosts_up: int
    findings: Counts
    changes: dict[str, int] = {}  # by kind, against earlier scans
    cascades: bool = True  # whether the scan asked for any: rules may follow it


class ScanFailed(BusEvent, frozen=True, kw_only=True):
    """A scan that has no answer: refused before it ran, or failed in every shard."""

    reason: str
    refused: bool  # True: the request was not accepted, and no packet was sent


class CascadeRequested(BusEvent, frozen=True, kw_only=True):
    """A rule asks for a scan of another scanner. `request` is the whole of it, for a subscriber of yours to take up."""

    rule: str
    scan_type: str
    request: dict[str, Any]  # a Scan manifest of secureCodeBox
    findings: tuple[str, ...]  # the first ids of those that asked for it
    count: int  # of them


class CascadeCapped(BusEvent, frozen=True, kw_only=True):
    """Findings were not followed, because a cap of the cascade was reached."""

    rule: str
    cap: str  # depth, fan-out, scans, probes or cost
    reason: str
    findings: tuple[str, ...]
    count: int


class CascadeRefused(BusEvent, frozen=True, kw_only=True):
    """Findings were not followed: out of scope, no request that would be accepted, or the rule itself failed."""

    rule: str
    kind: str  # out of scope, refused or failed
    reason: str  # with what was compared
    findings: tuple[str, ...]
    count: int


class ScanSuspended(BusEvent, frozen=True, kw_only=True):
    """A scan stands still until it is resumed. Its workers hear of it with their next heartbeat."""


class ScanResumed(BusEvent, frozen=True, kw_only=True):
    """A scan that stood still goes on."""

    lanes: dict[str, int]  # shards that were queued again, by lane


class ScanCancelled(BusEvent, frozen=True, kw_only=True):
    """A scan was ended by somebody. What was found until then is in the table."""

    reason: str


class ScheduleSkipped(BusEvent, frozen=True, kw_only=True):
    """A scheduled scan was due and did not start. `scan_id` is the id that it would have had."""

    schedule: str
    due_at: datetime
    kind: str  # running: an earlier one is; blackout: nothing starts on this date
    reason: str
    retried: bool  # True: it is tried again every minute until the next one is due


BUS_EVENTS: tuple[type[BusEvent], ...] = (
    ScanPlanned,
    HostQuarantined,
    HostAppeared,
    HostGone,
    PortOpened,
    PortClosed,
    ServiceChanged,
    FindingsRecorded,
    ScanCompleted,
    CascadeRequested,
    CascadeCapped,
    CascadeRefused,
    ScanFailed,
    ScanSuspended,
    ScanResumed,
    ScanCancelled,
    ScheduleSkipped,
)
CHANGES: dict[ChangeKind, type[HostChange]] = {
    ChangeKind.HOST_APPEARED: HostAppeared,
    ChangeKind.HOST_GONE: HostGone,
    ChangeKind.PORT_OPENED: PortOpened,
    ChangeKind.PORT_CLOSED: PortClosed,
    ChangeKind.SERVICE_CHANGED: ServiceChanged,
}


def about(scan: Scan, *, at: datetime, cause_id: str = "") -> dict[str, Any]:
    """What every event on the bus says of its scan, but for its own id. Without `cause_id`, what caused the scan."""
    return {
        "scan_id": scan.scan_id,
        "cause_id": cause_id or scan.cause_id,
        "hop": scan.hop,
        "at": at,
        "name": scan.name,
        "labels": scan.labels,
    }


def change_event(scan: Scan, shard: int, report_key: str, change: Change, cause_id: str) -> HostChange:
    """The event that announces a change. Raises: ValueError: a baseline, of which there is nothing to announce."""
    if change.before is None:
        raise ValueError(f"nothing covered {change.address} before")
    what = (change.kind.value, change.address, change.protocol, change.port)
    common = about(scan, at=change.after.seen_at, cause_id=cause_id) | {
        "event_id": event_id_of(report_key, *what),
        "shard": shard,
        "report_key": report_key,
        "address": change.address,
        "hostname": change.hostname,
        "before": change.before,
        "after": change.after,
    }
    kind = CHANGES[change.kind]
    if issubclass(kind, PortChange):
        return kind(**common, protocol=change.protocol, port=change.port or 0)
    return kind(**common)


def detail_type(event: BusEvent) -> str:
    return type(event).__name__


def event_in(body: str | bytes, kind: type[M]) -> M:
    """The bus event inside an EventBridge envelope, as a queue behind a rule delivers it.

    Raises: MalformedMessage: no envelope of ours, another event, or a detail that does not fit.
    """
    envelope = _envelope(body)
    if envelope.source != SOURCE or envelope.detail_type != kind.__name__:
        raise MalformedMessage(f"{envelope.source}/{envelope.detail_type} is not {SOURCE}/{kind.__name__}")
    return kind.from_wire(msgspec.json.encode(envelope.detail))


def end_in(body: str | bytes) -> ScanCompleted | ScanFailed | ScanCancelled:
    """The end of a scan inside an EventBridge envelope. Raises: MalformedMessage: as event_in."""
    return event_in(body, ENDS.get(_envelope(body).detail_type, ScanCompleted))


ENDS: dict[str, type[ScanCompleted | ScanFailed | ScanCancelled]] = {
    "ScanCompleted": ScanCompleted,
    "ScanFailed": ScanFailed,
    "ScanCancelled": ScanCancelled,
}
QUEUED_BY: dict[str, type[ScanPlanned | ScanResumed]] = {"ScanPlanned": ScanPlanned, "ScanResumed": ScanResumed}


class WorkersWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to count workers: a scan that was planned or resumed, a stopped task, or a tick."""

    id: str = ""
    planned: dict[str, int] = {}  # shards that were queued just now, by lane
    spot_is_short: bool = False  # Spot had no room, or took a worker back: no use in asking it again at once

    @classmethod
    def from_wire(cls, envelope: Mapping[str, Any]) -> WorkersWanted:
        """Source: EventBridge envelopes; Amazon ECS's `ECS Task State Change`. Raises: MalformedMessage."""
        event_id, detail = str(envelope.get("id", "")), envelope.get("detail")
        queued = QUEUED_BY.get(str(envelope.get("detail-type"))) if envelope.get("source") == SOURCE else None
        if queued:
            return cls(id=event_id, planned=queued.from_wire(msgspec.json.encode(detail)).lanes)
        if envelope.get("source") == "aws.ecs" and isinstance(detail, Mapping):
            on_spot = detail.get("capacityProviderName") == "FARGATE_SPOT"
            return cls(id=event_id, spot_is_short=on_spot and detail.get("stopCode") in SPOT_IS_SHORT)
        return cls(id=event_id)


class ReportStored(msgspec.Struct, frozen=True):
    """A report object came into being in the bucket. Source: Amazon S3's `Object Created` event."""

    DETAIL_TYPE: ClassVar[str] = "Object Created"

    key: str
    bucket: str
    size: int  # bytes
    event_id: str

    @property
    def report(self) -> ReportKey:
        """Raises: MalformedMessage: not a key that a worker mints."""
        return ReportKey.parse(self.key)

    @classmethod
    def from_wire(cls, body: str | bytes) -> ReportStored:
        """Raises: MalformedMessage: not an `Object Created` event of Amazon S3."""
        envelope = _envelope(body)
        if envelope.source != "aws.s3" or envelope.detail_type != cls.DETAIL_TYPE:
            raise MalformedMessage(f"{envelope.source}/{envelope.detail_type} is not aws.s3/{cls.DETAIL_TYPE}")
        try:
            detail = msgspec.convert(envelope.detail, _ObjectCreated)
        except msgspec.ValidationError as exc:
            raise MalformedMessage(f"not an Object Created event: {exc}") from exc
        return cls(detail.object.key, detail.bucket.name, detail.object.size, envelope.id)


class _Envelope(msgspec.Struct, frozen=True):
    source: str
    detail_type: str = msgspec.field(name="detail-type")
    detail: dict[str, Any]
    id: str = ""


class _Bucket(msgspec.Struct, frozen=True):
    name: str


class _Object(msgspec.Struct, frozen=True):
    key: str
    size: int = 0


class _ObjectCreated(msgspec.Struct, frozen=True):
    bucket: _Bucket
    object: _Object


def _envelope(body: str | bytes) -> _Envelope:
    try:
        return msgspec.json.decode(body, type=_Envelope)
    except UNREADABLE as exc:
        raise MalformedMessage(f"not an EventBridge envelope: {exc}") from exc
