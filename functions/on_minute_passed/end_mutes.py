"""Ask for the end of each mute whose time is over, every minute until it is closed."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock
from cascan.gateways import Mutes, RequestQueue
from cascan.messages.mutes import is_ending
from cascan.messages.work import MessageWork


@dataclass(frozen=True, slots=True)
class MuteContext:
    """Where the mutes are stored, and the queue of messages."""

    mutes: Mutes
    queue: RequestQueue
    clock: Clock


def end_mutes(context: MuteContext) -> int:
    """The number of mutes that end. An end that is asked for twice sends nothing twice."""
    now = context.clock()
    ending = [mute for mute in context.mutes.list_mutes() if is_ending(mute, now)]
    for mute in ending:
        context.queue.send(MessageWork(scan_id="", cause_id=mute.key, key=mute.key).to_wire())
    return len(ending)
