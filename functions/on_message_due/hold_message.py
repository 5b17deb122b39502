"""Hold back what a mute selects.

The message is stored before the mute is read once more. So the end of the mute, which reads what is
held, either finds the message, or the mute has ended here, too, and the message goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cascan.clock import Clock
from cascan.gateways import Mutes
from cascan.limits import MAX_SERIES_LOOKS
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.mutes import TEST, MessageTopic, describe_notice, find_mute
from cascan.messages.quiet_hours import find_quiet
from cascan.messages.work import MessageWork
from cascan.model.certificate import WatchedCertificate
from cascan.model.exposure import Exposure
from cascan.model.mute import MUTE_PREFIX, HeldMessage, StoredMute
from cascan.model.scan import Scan

Subject = Exposure | WatchedCertificate


class ExposureReader(Protocol):
    def get_exposure(self, exposure_id: str) -> Exposure | None:
        """The exposure, read consistently. None: there is none with this id."""


class ScanReader(Protocol):
    def get_scan(self, scan_id: str) -> Scan | None:
        """The scan, read consistently. None: there is none."""


@dataclass(frozen=True, slots=True)
class MuteGateways:
    mutes: Mutes
    scans: ScanReader
    clock: Clock


def hold_message(work: MessageWork, subject: Subject | None, gateways: MuteGateways) -> str:
    """The id of the mute that holds the message from now on; empty: the message is to be sent.

    What a person asks for is not held.
    """
    if work.retries or (subject is None and not work.notice):
        return ""
    mute = _find_mute(work, subject, gateways)
    if mute is None:
        return ""
    gateways.mutes.hold_message(mute, HeldMessage(key=work.key, notice=work.notice, detail=work.detail))
    current = _find_mute(work, subject, gateways)
    return mute.mute_id if current and current.mute_id == mute.mute_id else ""


def hold_during_quiet(
    work: MessageWork, subject: Subject | None, settings: ChannelSettings, gateways: MuteGateways
) -> bool:
    """Whether the message waits for the end of the channel's quiet hours.

    What a person asks for does not wait.
    """
    if work.retries or (subject is None and not work.notice) or work.notice.get("kind") == TEST:
        return False
    quiet = find_quiet(settings, gateways.clock()) if settings.quiet else None
    if quiet is None:
        return False
    if _find_stored(quiet, gateways) is None:
        gateways.mutes.put_mute(quiet)  # another process may do so at the same moment
    is_counted = work.cause_id.startswith(MUTE_PREFIX)
    held = HeldMessage(key=work.key, notice=work.notice, detail=work.detail, is_counted=is_counted)
    gateways.mutes.hold_message(quiet, held)
    stored = _find_stored(quiet, gateways)
    return stored is not None and stored.holds_at(gateways.clock())


def _find_stored(mute: StoredMute, gateways: MuteGateways) -> StoredMute | None:
    return next((stored for stored in gateways.mutes.list_mutes() if stored.mute_id == mute.mute_id), None)


def describe_exposure(exposure: Exposure, mutes: list[StoredMute], scans: ScanReader) -> MessageTopic:
    """What the exposure is about. Its scans are read only where a mute selects series."""
    series: set[str] = set()
    if any(mute.series for mute in mutes):
        scan_ids = {look.scan_id for look in exposure.looks[-MAX_SERIES_LOOKS:]} - {""}
        series = {scan.name for scan in map(scans.get_scan, sorted(scan_ids)) if scan and scan.name}
    return MessageTopic(address=exposure.subject.address, owner=exposure.owner, series=frozenset(series))


def _find_mute(work: MessageWork, subject: Subject | None, gateways: MuteGateways) -> StoredMute | None:
    now = gateways.clock()
    mutes = [mute for mute in gateways.mutes.list_mutes() if mute.holds_at(now)]
    if not mutes:
        return None
    topic = _describe(work, subject, mutes, gateways.scans)
    return find_mute(topic, mutes, now) if topic else None


def _describe(
    work: MessageWork, subject: Subject | None, mutes: list[StoredMute], scans: ScanReader
) -> MessageTopic | None:
    if isinstance(subject, WatchedCertificate):
        return MessageTopic(address=subject.address, owner=subject.owner)
    return describe_exposure(subject, mutes, scans) if subject else describe_notice(work.notice)
