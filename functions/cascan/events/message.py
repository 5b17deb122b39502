"""The fields of every message, and those that every event on the bus has about its scan."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from cascan.errors import MalformedMessage
from cascan.model.scan import Scan
from cascan.model.usage import Capacity
from cascan.model.vantage import DEFAULT_VANTAGE

SOURCE = "cascan"
VERSION = 1
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)  # from decoding unknown bytes
M = TypeVar("M", bound="Message")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of every message."""

    scan_id: str
    cause_id: str
    hop: int = 0
    version: int = VERSION

    def to_wire(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_wire(cls: type[M], body: str | bytes) -> M:
        """Raises: MalformedMessage: not this message, or an unknown version."""
        try:
            message = msgspec.json.decode(body, type=cls)
        except DECODE_ERRORS as exc:
            raise MalformedMessage(f"not a {cls.__name__} message: {exc}") from exc
        if message.version != VERSION:
            raise MalformedMessage(f"{cls.__name__} version {message.version} is not version {VERSION}")
        return message


class ShardQueued(Message, frozen=True, kw_only=True):
    """A shard waits for a worker, which reads the shard from the table when it claims it."""

    shard: int
    token: str = ""  # part of the shard's key; empty: an earlier version stored the shard
    trace_id: str = ""  # of the scan


class ShardReturned(Message, frozen=True, kw_only=True):
    """A worker has a shard's message, and does not run the shard to its end.

    A function queues the shard again, has it wait, or gives it up. It believes only what the table
    does not contradict.
    """

    shard: int
    token: str = ""  # as the shard's message has it
    attempt: int = 0  # the attempt that ended; 0: the worker did not claim the shard
    capacity: Capacity = Capacity.ON_DEMAND  # what the worker's time is paid as
    failed: bool = False  # the attempt counts as a failure
    error_description: str = ""  # empty: the last error stays
    stderr: str = ""  # of nmap
    trace_id: str = ""  # of the scan


class BusEvent(Message, frozen=True, kw_only=True):
    """The fields of every event on the bus, which rules can match."""

    event_id: str  # derived: a repeated announcement has the same id
    at: datetime
    name: str  # the series
    labels: dict[str, str] = {}
    requested_by: str = ""  # the principal that sent the scan's request, according to SQS
    vantage: str = DEFAULT_VANTAGE  # where it is scanned from; empty: from several, see `members`


def build_event_fields(scan: Scan, *, at: datetime, cause_id: str = "") -> dict[str, Any]:
    """The fields of every event about its scan, without `event_id`.

    Without `cause_id`, that of the scan is used.
    """
    return {
        "scan_id": scan.scan_id,
        "cause_id": cause_id or scan.cause_id,
        "hop": scan.hop,
        "at": at,
        "name": scan.name,
        "labels": scan.labels,
        "requested_by": scan.requested_by,
        "vantage": scan.vantage,
    }


def detail_type(event: BusEvent) -> str:
    return type(event).__name__
