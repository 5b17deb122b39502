"""The message of the control queue: what to do with a scan, or with the whole stack."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from cascan.errors import MalformedMessage
from cascan.ids import SCAN_ID
from cascan.limits import MAX_LABEL_CHARS


class Action(StrEnum):
    CANCEL = "cancel"  # the scan ends now; its findings are kept
    SUSPEND = "suspend"  # the scan pauses; hosts that are finished are kept
    RESUME = "resume"  # the scan goes on where it paused
    HALT = "halt"  # nothing is scanned
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
        """Raises: MalformedMessage: another shape, no scan where one is needed, or a text that is
        too long.
        """
        try:
            request = msgspec.json.decode(body, type=cls)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise MalformedMessage(f"not a ControlRequested message: {exc}") from exc
        if request.action in STACK_ACTIONS and request.scan_id:
            raise MalformedMessage(f"{request.action} is about the whole stack: leave scanId out")
        if request.action not in STACK_ACTIONS and not SCAN_ID.fullmatch(request.scan_id):
            raise MalformedMessage(f"{request.action} needs scanId, the id of a scan; {request.scan_id[:40]!r} is none")
        if max(len(request.by), len(request.reason)) > MAX_LABEL_CHARS:
            raise MalformedMessage(f"by and reason have at most {MAX_LABEL_CHARS} characters")
        return request
