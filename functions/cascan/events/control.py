"""What may be asked of a scan that exists, or of the whole stack: the message of the control queue."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from cascan.errors import MalformedMessage
from cascan.ids import SCAN_ID
from cascan.limits import MAX_LABEL_CHARS


class Action(StrEnum):
    CANCEL = "cancel"  # a scan ends now; what was found is kept
    SUSPEND = "suspend"  # a scan stands still; hosts that are finished are kept
    RESUME = "resume"  # it goes on where it stood
    HALT = "halt"  # nothing at all is scanned
    LIFT = "lift"  # the stack goes on


STACK_ACTIONS = frozenset({Action.HALT, Action.LIFT})


class ControlRequested(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`{"action": "cancel", "scanId": "…"}`, or `{"action": "halt", "by": "soc", "reason": "…"}`."""

    action: Action
    scan_id: str = ""
    by: str = ""
    reason: str = ""

    def to_wire(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_wire(cls, body: str | bytes) -> ControlRequested:
        """Raises: MalformedMessage: another shape, no scan where one is needed, or a text that is too long."""
        try:
            asked = msgspec.json.decode(body, type=cls)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise MalformedMessage(f"not a ControlRequested message: {exc}") from exc
        if asked.action in STACK_ACTIONS and asked.scan_id:
            raise MalformedMessage(f"{asked.action} is about the whole stack: leave scanId out")
        if asked.action not in STACK_ACTIONS and not SCAN_ID.fullmatch(asked.scan_id):
            raise MalformedMessage(f"{asked.action} needs scanId, the id of a scan; {asked.scan_id[:40]!r} is none")
        if max(len(asked.by), len(asked.reason)) > MAX_LABEL_CHARS:
            raise MalformedMessage(f"by and reason have at most {MAX_LABEL_CHARS} characters")
        return asked
