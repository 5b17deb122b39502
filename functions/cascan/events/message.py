"""What every message carries, and what every event on the bus says of its scan."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from cascan.errors import MalformedMessage
from cascan.model.scan import Scan

SOURCE = "cascan"
VERSION = 1
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)  # what decoding a stranger's bytes raises
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
        except DECODE_ERRORS as exc:
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


def build_event_fields(scan: Scan, *, at: datetime, cause_id: str = "") -> dict[str, Any]:
    """What every event on the bus says of its scan, but for its own id. Without `cause_id`, what caused the scan."""
    return {
        "scan_id": scan.scan_id,
        "cause_id": cause_id or scan.cause_id,
        "hop": scan.hop,
        "at": at,
        "name": scan.name,
        "labels": scan.labels,
    }


def detail_type(event: BusEvent) -> str:
    return type(event).__name__
