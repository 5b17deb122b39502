"""The messages of the exposure queue: a shard to judge, the daily check, and how far a turn came."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from cascan.errors import MalformedMessage
from cascan.events import FindingsRecorded, Message, parse_event


class WorkKind(StrEnum):
    SHARD = "shard"
    DAY = "day"


class ExposureWork(Message, frozen=True, kw_only=True):
    """What is to be judged. `scan_id` is empty for the daily check."""

    kind: WorkKind
    report_key: str = ""
    shard: int = 0
    vantage: str = ""  # of the daily check: with which a turn goes on
    after: str = ""  # the address behind which a turn goes on

    @classmethod
    def read(cls, body: str) -> ExposureWork:
        """From a message of the queue: this one, or a FindingsRecorded behind the rule on the bus.

        Raises: MalformedMessage: it is neither.
        """
        try:
            is_event = "detail-type" in msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise MalformedMessage(f"neither an event nor exposure work: {exc}") from exc
        if not is_event:
            return cls.from_wire(body)
        event = parse_event(body, FindingsRecorded)
        return cls(
            kind=WorkKind.SHARD,
            scan_id=event.scan_id,
            cause_id=event.event_id,
            hop=event.hop,
            shard=event.shard,
            report_key=event.report_key,
        )


def build_day_work(cause_id: str) -> ExposureWork:
    return ExposureWork(kind=WorkKind.DAY, scan_id="", cause_id=cause_id)
