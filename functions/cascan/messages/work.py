"""The messages of the message queue: an event behind the rule on the bus, or a turn that is due again."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cascan.errors import MalformedMessage
from cascan.events import BUS_EVENTS, ExposureEvent, Message, MessageReady, ScanCompleted, parse_event
from cascan.messages.fields import build_exposure_key
from cascan.messages.notices import build_notices
from cascan.messages.send_next import Turn

EVENTS = {kind.__name__: kind for kind in BUS_EVENTS}
Notice = dict[str, str]


class MessageWork(Message, frozen=True, kw_only=True):
    """A thread that may need its next message."""

    key: str
    channel: str = ""  # empty: every channel
    is_due: bool = False  # UNCONFIRMED_AFTER_S have passed since the exposure was opened
    retries: bool = False  # a person asks for a message that is parked
    notice: Notice = msgspec.field(default_factory=dict)  # its fields; empty: it is about an exposure
    detail: str = ""  # of the notice's statement, where a thread has several


def read_message_work(body: str) -> list[MessageWork | MessageReady | ScanCompleted]:
    """From a message of the queue: this one, or an event. Empty: the event leads to no message.

    A MessageReady comes from the dead-letter queue: its rule could not deliver it. Of a ScanCompleted,
    what its scan found is to be reviewed.

    Raises: MalformedMessage: it is neither.
    """
    try:
        name = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get("detail-type")
        event_name = msgspec.json.decode(name, type=str) if name is not None else ""
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise MalformedMessage(f"neither an event nor message work: {exc}") from exc
    if not event_name:
        return [MessageWork.from_wire(body)]
    kind = EVENTS.get(event_name)
    if kind is None:
        raise MalformedMessage(f"{event_name} is not an event of cascan")
    event = parse_event(body, kind)
    if isinstance(event, MessageReady):
        return [event]
    notices: list[tuple[str, Notice]]
    if isinstance(event, ExposureEvent) and event.exposure_id:
        notices = [(build_exposure_key(event.exposure_id), {})]
    else:
        notices = list(build_notices(event))
    works = [
        MessageWork(scan_id=event.scan_id, cause_id=event.event_id, hop=event.hop, key=key, notice=notice)
        for key, notice in notices
    ]
    return [*works, event] if isinstance(event, ScanCompleted) else [*works]


def continue_on(work: MessageWork, channel: str, turn: Turn) -> MessageWork:
    """The turn of one channel after this one. A repeat that a person asked for is made once."""
    return replace(work, channel=channel, is_due=work.is_due or turn.waits_for_look, retries=False)
