"""The messages of the import queue: a scan that ended, and how far a turn came."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cascan.errors import MalformedMessage, Rejected
from cascan.events import Message, ScanCancelled, ScanCompleted, ScanFailed
from cascan.events.envelopes import parse_end_event
from cascan.limits import MAX_IMPORT_TURNS


class HubImportWork(Message, frozen=True, kw_only=True):
    """The scan whose findings are to be imported."""

    vantage: str = ""  # with which a turn goes on; empty: the first one
    after: str = ""  # the address behind which a turn goes on
    turns: int = 0  # that were taken already

    @classmethod
    def read(cls, body: str) -> HubImportWork:
        """From a message of the queue: this one, or the end of a scan behind the rule on the bus.

        Raises: MalformedMessage: it is neither.
        """
        try:
            is_event = "detail-type" in msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise MalformedMessage(f"neither an event nor an import: {exc}") from exc
        return _from_event(parse_end_event(body)) if is_event else cls.from_wire(body)


def _from_event(event: ScanCompleted | ScanFailed | ScanCancelled) -> HubImportWork:
    return HubImportWork(scan_id=event.scan_id, cause_id=event.event_id, hop=event.hop)


def continue_import(work: HubImportWork, *, vantage: str, after: str) -> HubImportWork:
    """The message of the next turn. Raises: Rejected: there were MAX_IMPORT_TURNS."""
    if work.turns + 1 >= MAX_IMPORT_TURNS:
        raise Rejected(f"it takes more than {MAX_IMPORT_TURNS} turns; imported up to {after}")
    return replace(work, vantage=vantage, after=after, turns=work.turns + 1)
