"""The message about what changed of one exposure, on one channel."""

from __future__ import annotations

from datetime import timedelta

from cascan.limits import UNCONFIRMED_AFTER_S
from cascan.messages.channel_settings import ChannelSettings, Unconfirmed
from cascan.messages.decide_exposure import decide_exposure
from cascan.messages.fields import build_exposure_fields, build_exposure_key
from cascan.messages.render import render_message
from cascan.messages.send_next import Listener, Turn, send_next
from cascan.model.exposure import Exposure, ExposureState
from cascan.model.message import MessageAttempt, OutgoingMessage, Statement


def send_exposure_message(
    exposure: Exposure, listener: Listener, *, is_due: bool = False, console_url: str = "", retries: bool = False
) -> Turn:
    """Take a turn of the exposure's thread on one channel.

    `is_due`: UNCONFIRMED_AFTER_S have passed since its first look was reported. Before that, a turn
    that could send `unconfirmed` is due again then.
    """
    settings, sender = listener.settings, listener.sender
    now = sender.clock()
    may_send_unconfirmed = _sends_unconfirmed(exposure, settings)

    def decide(latest: Statement | None) -> Statement | None:
        return decide_exposure(exposure, latest, settings.audience, sends_unconfirmed=may_send_unconfirmed and is_due)

    def render(attempt: MessageAttempt) -> OutgoingMessage:
        fields = build_exposure_fields(exposure, attempt, now, console_url=console_url)
        return render_message(fields, settings.format, settings.template)

    turn = send_next(build_exposure_key(exposure.exposure_id), sender, decide, render, retries=retries)
    if turn == Turn() and not is_due and may_send_unconfirmed and exposure.state is ExposureState.OPEN:
        return Turn(again_at=now + timedelta(seconds=UNCONFIRMED_AFTER_S), waits_for_look=True)
    return turn


def _sends_unconfirmed(exposure: Exposure, settings: ChannelSettings) -> bool:
    if settings.unconfirmed is Unconfirmed.RAW:
        return exposure.subject.protocol not in ("", "tcp")
    return settings.unconfirmed is Unconfirmed.ALWAYS
