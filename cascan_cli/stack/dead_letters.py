"""The dead-letter queues of a stack, and what their messages are about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cascan.clock import to_wire
from cascan.errors import MalformedMessage, RequestRefused
from cascan.forms import find_idempotency_key, read_request_document
from cascan.forms.complete_request import IDEMPOTENCY_ANNOTATION
from cascan.forms.read_request import MANIFEST_FIELDS
from cascan.ids import SCAN_ID, ReportKey
from cascan.limits import MAX_DEAD_LETTER_REASON_CHARS, MAX_REQUEST_BYTES
from cascan.model.shard import Lane
from cascan_cli.output.text import printable

if TYPE_CHECKING:
    from cascan.gateways import Shards
    from cascan.model.dead_letter import DeadLetter
    from cascan.model.shard import Shard
    from cascan.model.vantage import Vantage

PARKED_REQUESTS, PARKED_SHARDS = "ParkedRequests", "ParkedShards"
RETURNED_SHARD_QUEUE = "ReturnedShardQueue"
RETURNED_SHARD = "returned shard"  # the kind of a message with which a worker returned its shard
DLQ_BY_LANE = {Lane.EXPRESS: "ExpressShardDLQ", Lane.CONNECT: "ConnectShardDLQ", Lane.RAW: "RawShardDLQ"}


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A dead-letter queue by its name in the template; the output with its URL is `<name>Url`."""

    name: str
    sent_back_to: tuple[str, ...] = ()  # queues; empty: its messages can only be dropped
    # The function that empties the queue. Its messages are not read here: each read counts as a
    # delivery, and the last one moves the message on.
    reader: str = ""
    parameter: str = ""  # the parameter with which a stack has the queue; empty: every stack has it

    def is_in(self, outputs: Mapping[str, str]) -> bool:
        """Whether the stack with these outputs has the queue."""
        return not self.parameter or f"{self.name}Url" in outputs


SHARD_READER = "on_shard_abandoned"
QUEUES = (
    DeadLetterQueue(PARKED_REQUESTS, ("RequestQueue",)),
    DeadLetterQueue(PARKED_SHARDS, (*DLQ_BY_LANE.values(), RETURNED_SHARD_QUEUE)),
    DeadLetterQueue("ReportDLQ", ("ReportQueue",)),
    DeadLetterQueue("CompletionDLQ", ("CompletionQueue",)),
    DeadLetterQueue("ExposureDLQ", ("ExposureQueue",)),
    DeadLetterQueue("MessageDLQ", ("MessageQueue",)),
    DeadLetterQueue("ControlDLQ", ("ControlQueue",)),
    DeadLetterQueue("ScheduleDLQ", ("ScheduleQueue",)),
    DeadLetterQueue("VulsDLQ", ("VulsQueue",)),
    DeadLetterQueue("ImportDLQ", ("ImportQueue",), parameter="SecurityHub=enabled"),
    DeadLetterQueue("WakeupDLQ"),  # of calls that no queue delivers; the next minute repeats them
    DeadLetterQueue("RequestDLQ", reader="on_scan_requested"),
    DeadLetterQueue("ExpressShardDLQ", reader=SHARD_READER),
    DeadLetterQueue("ConnectShardDLQ", reader=SHARD_READER),
    DeadLetterQueue("RawShardDLQ", reader=SHARD_READER),
)
BY_NAME = {queue.name: queue for queue in QUEUES}


def list_queues(outputs: Mapping[str, str]) -> list[DeadLetterQueue]:
    """The dead-letter queues of the stack with these outputs, without those of its vantages."""
    return [queue for queue in QUEUES if queue.is_in(outputs)]


def list_readable_queues(outputs: Mapping[str, str]) -> list[DeadLetterQueue]:
    """Those of them that no function empties."""
    return [queue for queue in list_queues(outputs) if not queue.reader]


def list_vantage_queues(vantages: Iterable[Vantage]) -> Iterator[tuple[DeadLetterQueue, str]]:
    """The dead-letter queues of vantages in use, with their URLs; their names are those in SQS."""
    for vantage in vantages:
        if vantage.removed_at is not None:
            continue
        for _, queue_url in sorted(vantage.queues.items()):
            url = f"{queue_url}-dlq"
            yield DeadLetterQueue(url.rpartition("/")[2], reader=SHARD_READER), url


@dataclass(frozen=True, slots=True)
class Description:
    """What a message tells of itself. Texts are printable; empty or None: it does not tell."""

    kind: str
    scan_id: str = ""
    shard: int | None = None
    schedule: str = ""
    reason: str = ""


@dataclass(slots=True)
class ShardErrors:
    """Looks up the shards of parked messages; each of them once."""

    table: Shards
    _shards: dict[tuple[str, int], Shard | None] = field(default_factory=dict)

    def find(self, description: Description) -> Shard | None:
        if not description.scan_id or description.shard is None:
            return None
        key = (description.scan_id, description.shard)
        if key not in self._shards:
            self._shards[key] = self.table.get_shard(*key)
        return self._shards[key]


def describe_letter(letter: DeadLetter) -> Description:
    """What kind of message it is, which scan or schedule it is about, and why it failed.

    Reads any text: a message that is not understood is of the kind `unknown`.
    """
    fields = _parse_fields(letter.body)
    kind, about = _describe_fields(fields)
    reason = _find_reason(letter.attributes, fields)
    shard = about.get("shard")
    return Description(
        kind=kind,
        scan_id=_scan_id(about),
        shard=shard if isinstance(shard, int) and not isinstance(shard, bool) else None,
        schedule=_text(_schedule(about)),
        reason=printable(reason)[:MAX_DEAD_LETTER_REASON_CHARS],
    )


def add_idempotency_key(body: str, key: str) -> str:
    """The request with this key, unless it has one: a copy that is sent again is no second scan.

    A body that is no request, or would become too long, is returned unchanged.
    """
    try:
        document = read_request_document(body)
    except RequestRefused:
        return body
    if find_idempotency_key(document) or not document:
        return body
    if MANIFEST_FIELDS & document.keys():
        metadata = document.get("metadata") or {}
        annotations = (metadata.get("annotations") or {}) if isinstance(metadata, dict) else None
        if not isinstance(annotations, dict):
            return body
        keyed = {**document, "metadata": {**metadata, "annotations": {**annotations, IDEMPOTENCY_ANNOTATION: key}}}
    else:
        keyed = {**document, "idempotencyKey": key}
    text = json.dumps(keyed)
    return text if len(text) <= MAX_REQUEST_BYTES else body


def letter_to_json(queue: str, letter: DeadLetter, description: Description, reason: str) -> dict[str, Any]:
    return {
        "id": letter.message_id,
        "queue": queue,
        "kind": description.kind,
        "scan": description.scan_id,
        "shard": description.shard,
        "schedule": description.schedule,
        "sentAt": to_wire(letter.sent_at),
        "received": letter.received,
        "reason": reason,
    }


def _parse_fields(body: str) -> dict[str, Any]:
    """The body as a JSON object; empty if it is something else."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _describe_fields(fields: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The kind of message, and the fields in which it says what it is about."""
    detail = fields.get("detail")
    if "detail-type" in fields:
        detail = detail if isinstance(detail, dict) else {}
        return f"event {_text(fields['detail-type'])}", _report_fields(detail) or detail
    if "requestContext" in fields:
        context = fields["requestContext"]
        function = context.get("functionArn") if isinstance(context, dict) else ""
        return f"call of {_text(function).removesuffix(':$LATEST').rpartition(':')[2]}", {}
    if "action" in fields:
        return f"control {_text(fields['action'])}", fields
    if "dueAt" in fields:
        return "schedule", fields
    if "turns" in fields or "notice" in fields:
        return _describe_turn(fields)
    if "scan_id" in fields and "shard" in fields:
        return (RETURNED_SHARD if "attempt" in fields else "shard"), fields
    if "targets" in fields or "spec" in fields:
        return "request", {}
    return "unknown", {}


def _describe_turn(fields: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The same of a message with which a function continues its work."""
    if "notice" in fields:
        return "message turn", fields
    if "report_key" not in fields:
        return "import", fields
    return ("daily check", {}) if fields.get("kind") == "day" else ("exposures of a shard", fields)


def _report_fields(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The scan and the shard of a report that S3 says was stored; empty for other events."""
    stored = detail.get("object")
    key = stored.get("key") if isinstance(stored, dict) else None
    try:
        report = ReportKey.parse(key if isinstance(key, str) else "")
    except MalformedMessage:
        return {}
    return {"scan_id": report.scan_id, "shard": report.shard}


def _scan_id(about: Mapping[str, Any]) -> str:
    scan_id = about.get("scan_id") or about.get("scanId")
    return scan_id if isinstance(scan_id, str) and SCAN_ID.fullmatch(scan_id) else ""


def _schedule(about: Mapping[str, Any]) -> Any:
    labels = about.get("labels")
    return about.get("schedule") or (labels.get("cascan/schedule") if isinstance(labels, dict) else "")


def _find_reason(attributes: Mapping[str, str], fields: Mapping[str, Any]) -> str:
    """Why the message is here: as cascan parked it, as EventBridge or as Lambda says."""
    if reason := attributes.get("reason"):
        return reason
    if code := attributes.get("ERROR_CODE"):
        return f"{code}: {attributes.get('ERROR_MESSAGE', '')}".removesuffix(": ")
    payload = fields.get("responsePayload")
    if isinstance(payload, dict):
        return _text(payload.get("errorMessage"))
    return ""


def _text(value: object) -> str:
    return printable(value)[:MAX_DEAD_LETTER_REASON_CHARS] if isinstance(value, str) else ""
