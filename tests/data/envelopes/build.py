"""The envelopes of this folder around a test's own message. README.md says who sends each."""

from __future__ import annotations

import json
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cascan.events import BusEvent, detail_type

FOLDER = Path(__file__).parent
Envelope = dict[str, Any]


def recorded(name: str) -> Envelope:
    """The envelope as it is in its file."""
    envelope: Envelope = json.loads((FOLDER / f"{name}.json").read_bytes())
    return envelope


def sqs_record(body: str | Envelope, *, message_id: str = "", receive_count: int = 1) -> Envelope:
    """One message as Lambda gets it; without a `message_id` the body makes one, so that a copy has the same."""
    text = body if isinstance(body, str) else json.dumps(body)
    data = text.encode("utf-8", "surrogatepass")
    record = recorded("sqs-record")
    record["body"], record["md5OfBody"] = text, md5(data, usedforsecurity=False).hexdigest()
    record["messageId"] = message_id or str(uuid5(NAMESPACE_OID, record["md5OfBody"]))
    record["attributes"]["ApproximateReceiveCount"] = str(receive_count)
    return record


def sqs_event(*bodies: str | Envelope, receive_count: int = 1) -> Envelope:
    """A batch, one message for each body."""
    return {"Records": [sqs_record(body, receive_count=receive_count) for body in bodies]}


def object_created(key: str, size: int = 1543) -> Envelope:
    envelope = recorded("object-created")
    envelope["detail"]["object"] |= {"key": key, "size": size}
    return envelope


def bus_event(event: BusEvent) -> Envelope:
    return recorded("bus-event") | {"detail-type": detail_type(event), "detail": json.loads(event.to_wire())}
