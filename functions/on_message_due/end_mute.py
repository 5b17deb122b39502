"""The end of a mute: held threads take their turns, and each channel gets one message about what came and went.

on_minute_passed asks for it every minute until the mute is closed. How far it is is stored after each
page, under a condition on the mute's revision: of two turns one goes on, and a turn that is killed is
continued by the next one. A page that is done twice sends the same threads twice, which send nothing
twice. The summary is a notice in a thread of its own, so it is sent once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from cascan.clock import TimeLeft
from cascan.gateways import RequestQueue
from cascan.limits import MAX_HELD_PER_PAGE, MESSAGE_TURN_S
from cascan.messages.mutes import (
    build_summary,
    came_and_went,
    count_passed,
    describe_passed,
    find_mute,
    is_ending,
)
from cascan.messages.send_next import Listener
from cascan.messages.work import MessageWork
from cascan.model.exposure import Exposure
from cascan.model.message import EXPOSURE_PREFIX
from cascan.model.mute import MUTE_PREFIX, HeldMessage, PassedExposures, StoredMute
from on_message_due.hold_message import ExposureReader, MuteGateways, describe_exposure


@dataclass(frozen=True, slots=True)
class MuteEnding:
    """What the end of a mute needs."""

    gateways: MuteGateways
    exposures: ExposureReader
    queue: RequestQueue  # of this function
    listeners: Sequence[Listener]


def end_mute(key: str, ending: MuteEnding, left_s: TimeLeft) -> int:
    """The number of messages sent to the queue. It does nothing unless the mute's end is due.

    `key`: of the mute's thread. Raises: GatewayUnavailable: try again.
    """
    mute_id = key.removeprefix(MUTE_PREFIX)
    now = ending.gateways.clock()
    mute = next((mute for mute in ending.gateways.mutes.list_mutes() if mute.mute_id == mute_id), None)
    if mute is None or not is_ending(mute, now):
        return 0
    sent = 0
    while not mute.is_read:
        if left_s() < MESSAGE_TURN_S:
            return sent  # the next tick goes on
        page = ending.gateways.mutes.list_held(mute_id, after=mute.read_to, limit=MAX_HELD_PER_PAGE)
        stored = _store(_read_page(mute, page, ending), ending)
        sent += len(page)
        if stored is None:
            return sent  # another turn goes on
        mute = stored
    for channel, passed in sorted(mute.passed.items()):
        ending.queue.send(_build_summary_work(mute, channel, passed).to_wire())
        sent += 1
    _store(replace(mute, closed_at=now), ending)
    return sent


def _read_page(mute: StoredMute, page: list[HeldMessage], ending: MuteEnding) -> StoredMute:
    """The mute after the page, whose threads have been sent to the queue."""
    passed = mute.passed
    for held in page:
        passed = _count(held, mute, passed, ending)
        work = MessageWork(
            scan_id="",
            cause_id=mute.key,
            key=held.key,
            channel=mute.channel,
            notice=held.notice,
            detail=held.detail,
        )
        ending.queue.send(work.to_wire())
    is_read = len(page) < MAX_HELD_PER_PAGE
    read_to = page[-1].key if page else mute.read_to
    return replace(mute, passed=passed, read_to=read_to, is_read=is_read)


def _count(
    held: HeldMessage, mute: StoredMute, passed: dict[str, PassedExposures], ending: MuteEnding
) -> dict[str, PassedExposures]:
    """What came and went, with the held thread's exposure if it did."""
    if held.is_counted or not held.key.startswith(EXPOSURE_PREFIX):
        return passed
    exposure = ending.exposures.get_exposure(held.key.removeprefix(EXPOSURE_PREFIX))
    if exposure is None or exposure.is_active or _is_muted(exposure, ending.gateways):
        return passed
    for listener in ending.listeners:
        if mute.channel not in ("", listener.settings.name):
            continue
        thread = listener.sender.threads.get_thread(held.key, listener.settings.name)
        latest = thread.latest if thread else None
        if came_and_went(exposure, mute, latest, listener.settings.audience):
            passed = count_passed(passed, listener.settings.name, describe_passed(exposure))
    return passed


def _is_muted(exposure: Exposure, gateways: MuteGateways) -> bool:
    """Whether another mute holds it back, whose summary will count it."""
    now = gateways.clock()
    mutes = [mute for mute in gateways.mutes.list_mutes() if mute.holds_at(now)]
    return bool(mutes) and find_mute(describe_exposure(exposure, mutes, gateways.scans), mutes, now) is not None


def _build_summary_work(mute: StoredMute, channel: str, passed: PassedExposures) -> MessageWork:
    notice = build_summary(mute, passed)
    return MessageWork(scan_id="", cause_id=mute.key, key=mute.key, channel=channel, notice=notice)


def _store(mute: StoredMute, ending: MuteEnding) -> StoredMute | None:
    """The mute as it is stored; None: another turn has stored it in the meantime."""
    stored = replace(mute, revision=mute.revision + 1)
    return stored if ending.gateways.mutes.put_mute(stored) else None
