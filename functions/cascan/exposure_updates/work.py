"""The messages of the exposure queue: a shard to judge, the daily check, and how far a turn came."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from cascan.errors import MalformedMessage, Rejected
from cascan.events import FindingsRecorded, Message, parse_event
from cascan.limits import MAX_EXPOSURE_TURNS


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
    turns: int = 0  # that were taken already

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


def continue_work(work: ExposureWork, *, after: str, vantage: str = "") -> ExposureWork:
    """The message of the next turn. Raises: Rejected: there were MAX_EXPOSURE_TURNS."""
    if work.turns + 1 >= MAX_EXPOSURE_TURNS:
        raise Rejected(f"it takes more than {MAX_EXPOSURE_TURNS} turns; judged up to {after}")
    return replace(work, after=after, vantage=vantage, turns=work.turns + 1)


def build_day_work(cause_id: str) -> ExposureWork:
    return ExposureWork(kind=WorkKind.DAY, scan_id="", cause_id=cause_id)
