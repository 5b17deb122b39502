"""Events as EventBridge delivers them: cascan's own, and those of Amazon S3 and Amazon ECS that
wake a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

import msgspec

from cascan.errors import MalformedMessage
from cascan.events.message import DECODE_ERRORS, SOURCE, M
from cascan.events.scans import ScanCancelled, ScanCompleted, ScanFailed, ScanPlanned, ScanResumed
from cascan.ids import ReportKey

NOT_STARTED = "TaskFailedToStart"  # like SpotInterruption, a stop code of ECS
SPOT_IS_SHORT = frozenset({"SpotInterruption", NOT_STARTED})
WORKER = "worker"  # the container that runs nmap; an operator may add others
AT_ONCE = timedelta(minutes=1)  # the interval of the tick, which starts a worker that fails sooner


def parse_event(body: str | bytes, kind: type[M]) -> M:
    """The bus event inside an EventBridge envelope, as a queue behind a rule delivers it.

    Raises: MalformedMessage: not an envelope of cascan, another event, or a detail of another
        shape.
    """
    envelope = _envelope(body)
    if envelope.source != SOURCE or envelope.detail_type != kind.__name__:
        raise MalformedMessage(f"{envelope.source}/{envelope.detail_type} is not {SOURCE}/{kind.__name__}")
    return kind.from_wire(msgspec.json.encode(envelope.detail))


def parse_end_event(body: str | bytes) -> ScanCompleted | ScanFailed | ScanCancelled:
    """The end of a scan inside an EventBridge envelope.

    Raises: MalformedMessage: as parse_event.
    """
    return parse_event(body, ENDS.get(_envelope(body).detail_type, ScanCompleted))


class WorkersWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to count workers: a scan that was planned or resumed, a stopped task, or a tick."""

    id: str = ""
    planned: dict[str, int] = {}  # shards that were queued just now, by lane
    # Spot had no capacity, or took a worker back: retrying at once is of no use
    spot_is_short: bool = False
    # the worker could not start, or crashed: another one would do the same
    failed_at_once: bool = False
    # of a worker that failed at once, as ECS gives it
    stopped_reason: str = ""

    @classmethod
    def from_wire(cls, envelope: Mapping[str, Any]) -> WorkersWanted:
        """Source: EventBridge envelopes; Amazon ECS's `ECS Task State Change`.

        Raises: MalformedMessage.
        """
        event_id, detail = str(envelope.get("id", "")), envelope.get("detail")
        queued = QUEUED_BY.get(str(envelope.get("detail-type"))) if envelope.get("source") == SOURCE else None
        if queued:
            return cls(id=event_id, planned=queued.from_wire(msgspec.json.encode(detail)).lanes)
        if envelope.get("source") == "aws.ecs" and isinstance(detail, Mapping):
            if detail.get("capacityProviderName") == "FARGATE_SPOT" and detail.get("stopCode") in SPOT_IS_SHORT:
                return cls(id=event_id, spot_is_short=True)
            if _failed_at_once(detail):
                return cls(id=event_id, failed_at_once=True, stopped_reason=_stopped_reason(detail))
        return cls(id=event_id)


def _failed_at_once(task: Mapping[str, Any]) -> bool:
    """Whether a task that stopped never started or ended with an error, in less than `AT_ONCE`."""
    containers = task.get("containers", ())
    codes = [container.get("exitCode", 0) for container in containers if container.get("name") == WORKER]
    if task.get("stopCode") != NOT_STARTED and not any(codes):
        return False
    created, stopped = task.get("createdAt"), task.get("stoppedAt")
    if not (created and stopped):
        return True
    return datetime.fromisoformat(stopped) - datetime.fromisoformat(created) < AT_ONCE


def _stopped_reason(task: Mapping[str, Any]) -> str:
    """Why ECS stopped the task, and why its worker's container did."""
    containers = [container for container in task.get("containers", ()) if container.get("name") == WORKER]
    reasons = [task.get("stoppedReason"), *(container.get("reason") for container in containers)]
    exits = [f"exit code {container['exitCode']}" for container in containers if container.get("exitCode")]
    return "; ".join(dict.fromkeys([*filter(None, reasons), *exits]))


class ReportStored(msgspec.Struct, frozen=True):
    """A report was stored in the bucket. Source: Amazon S3's `Object Created` event."""

    DETAIL_TYPE: ClassVar[str] = "Object Created"

    key: str
    bucket: str
    size: int  # bytes
    event_id: str

    @property
    def report(self) -> ReportKey:
        """Raises: MalformedMessage: not the key of a report."""
        return ReportKey.parse(self.key)

    @classmethod
    def from_wire(cls, body: str | bytes) -> Self:
        """Raises: MalformedMessage: not an `Object Created` event of Amazon S3."""
        envelope = _envelope(body)
        if envelope.source != "aws.s3" or envelope.detail_type != cls.DETAIL_TYPE:
            raise MalformedMessage(f"{envelope.source}/{envelope.detail_type} is not aws.s3/{cls.DETAIL_TYPE}")
        try:
            detail = msgspec.convert(envelope.detail, _ObjectCreated)
        except msgspec.ValidationError as exc:
            raise MalformedMessage(f"not an Object Created event: {exc}") from exc
        return cls(detail.object.key, detail.bucket.name, detail.object.size, envelope.id)


class VulsResultsStored(ReportStored, frozen=True):
    """Results of Vuls were stored in the bucket, or another file beside them."""


def parse_vuls_message(body: str | bytes) -> VulsResultsStored | ScanCompleted | ScanFailed | ScanCancelled:
    """A message of the queue of Vuls' results: new results, or the end of a scan for some.

    Raises: MalformedMessage: neither.
    """
    return parse_end_event(body) if _envelope(body).source == SOURCE else VulsResultsStored.from_wire(body)


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
    except DECODE_ERRORS as exc:
        raise MalformedMessage(f"not an EventBridge envelope: {exc}") from exc


ENDS: dict[str, type[ScanCompleted | ScanFailed | ScanCancelled]] = {
    "ScanCompleted": ScanCompleted,
    "ScanFailed": ScanFailed,
    "ScanCancelled": ScanCancelled,
}


QUEUED_BY: dict[str, type[ScanPlanned | ScanResumed]] = {
    "ScanPlanned": ScanPlanned,
    "ScanResumed": ScanResumed,
}
