"""One message of the message queue: a turn of its thread on each channel, and when the next turns are due."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Protocol

from msgspec.structs import replace

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.gateways import CertificateWatches, EventBus, Mutes, RequestQueue
from cascan.limits import LONGEST_RETRY_S, MESSAGE_TURN_S
from cascan.messages.channel_settings import ChannelFile
from cascan.messages.send_certificate_message import send_certificate_message
from cascan.messages.send_exposure_message import send_exposure_message
from cascan.messages.send_next import Listener, Turn
from cascan.messages.send_notice import send_notice
from cascan.messages.work import MessageWork, continue_on
from cascan.model.certificate import CERTIFICATE_PREFIX, WatchedCertificate
from cascan.model.exposure import Exposure
from cascan.model.message import EXPOSURE_PREFIX
from cascan.model.mute import MUTE_PREFIX
from cascan.queries.reachability_findings import FindingsAndLooks
from on_message_due.end_mute import MuteEnding, end_mute
from on_message_due.hold_message import ExposureReader, MuteGateways, hold_during_quiet, hold_message


class FindsOwners(Protocol):
    def find_owner(self, address: str, names: Collection[str] = ()) -> str:
        """The owner of the host; empty: it has none."""


class OpenChannels(Protocol):
    def open(self) -> tuple[ChannelFile, tuple[Listener, ...]]:
        """The file of channels, and the channels."""


@dataclass(frozen=True, slots=True)
class TurnGateways:
    exposures: ExposureReader
    scans: FindingsAndLooks
    mutes: Mutes
    certificates: CertificateWatches
    bus: EventBus
    owners: FindsOwners
    channels: OpenChannels
    queue: RequestQueue  # of this function
    clock: Clock


@dataclass(slots=True)
class TurnOutcome:
    """What was sent, for the log."""

    key: str
    sent: int = 0
    parked: dict[str, str] = field(default_factory=dict)  # by channel, why
    again: int = 0  # turns that are due again
    held_by: str = ""  # the id of the mute that holds the message
    quiet: int = 0  # channels whose quiet hours hold it
    held_sent: int = 0  # messages that a mute held, which are sent now


def take_turns(work: MessageWork, gateways: TurnGateways, *, left_s: TimeLeft = no_time_limit) -> TurnOutcome:
    """Raises: GatewayUnavailable: try again."""
    outcome = TurnOutcome(work.key)
    file, listeners = gateways.channels.open()
    chosen = [listener for listener in listeners if work.channel in ("", listener.settings.name)]
    mute_gateways = MuteGateways(gateways.mutes, gateways.scans, gateways.clock)
    if work.key.startswith(MUTE_PREFIX) and not work.notice:
        ending = MuteEnding(mute_gateways, gateways.exposures, gateways.queue, listeners)
        outcome.held_sent = end_mute(work.key, ending, left_s)
        return outcome
    subject = (_find_exposure(work, gateways) or _find_certificate(work, gateways)) if chosen else None
    outcome.held_by = hold_message(work, subject, mute_gateways) if chosen else ""
    if outcome.held_by:
        return outcome
    for listener in chosen:
        if left_s() < MESSAGE_TURN_S:  # the others in an invocation of their own
            gateways.queue.send(replace(work, channel=listener.settings.name).to_wire())
            outcome.again += 1
            continue
        if hold_during_quiet(work, subject, listener.settings, mute_gateways):
            outcome.quiet += 1
            continue
        turn = _take_turn(work, subject, listener, file)
        outcome.sent += turn.is_sent
        if turn.parked:
            outcome.parked[listener.settings.name] = turn.parked
        if turn.again_at:
            again = continue_on(work, listener.settings.name, turn)
            gateways.queue.send(again.to_wire(), delay_s=_find_delay(turn.again_at, gateways.clock()))
            outcome.again += 1
    return outcome


def _find_exposure(work: MessageWork, gateways: TurnGateways) -> Exposure | None:
    if not work.key.startswith(EXPOSURE_PREFIX):
        return None
    return gateways.exposures.get_exposure(work.key.removeprefix(EXPOSURE_PREFIX))


def _find_certificate(work: MessageWork, gateways: TurnGateways) -> WatchedCertificate | None:
    if not work.key.startswith(CERTIFICATE_PREFIX):
        return None
    watched = gateways.certificates.certificate_watch().certificates
    certificate = next((certificate for certificate in watched if certificate.key == work.key), None)
    if certificate is None:
        return None
    return replace(certificate, owner=gateways.owners.find_owner(certificate.address, {certificate.hostname} - {""}))


def _take_turn(
    work: MessageWork, subject: Exposure | WatchedCertificate | None, listener: Listener, file: ChannelFile
) -> Turn:
    if isinstance(subject, WatchedCertificate):
        return send_certificate_message(subject, listener, file.certificate_days, retries=work.retries)
    if subject is not None:
        url = file.console_url
        return send_exposure_message(subject, listener, is_due=work.is_due, console_url=url, retries=work.retries)
    if work.notice:
        return send_notice(work.key, work.notice, listener, detail=work.detail, retries=work.retries)
    return Turn()  # the exposure was removed, the certificate is not watched, or the notice has expired


def _find_delay(at: datetime, now: datetime) -> int:
    """Whole seconds, not above what SQS can wait."""
    return min(LONGEST_RETRY_S, max(1, ceil((at - now).total_seconds())))
