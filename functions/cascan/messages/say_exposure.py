"""The message about what changed of one exposure, on one channel."""

from __future__ import annotations

from datetime import timedelta

from cascan.limits import UNCONFIRMED_AFTER_S
from cascan.messages.channel_settings import ChannelSettings, Unconfirmed
from cascan.messages.decide_exposure import decide_exposure
from cascan.messages.fields import build_exposure_fields, build_exposure_key
from cascan.messages.render import render_message
from cascan.messages.say import Listener, Turn, say
from cascan.model.exposure import Exposure, ExposureState
from cascan.model.message import MessageAttempt, OutgoingMessage, Statement


def say_exposure(
    exposure: Exposure, listener: Listener, *, is_due: bool = False, console_url: str = "", retries: bool = False
) -> Turn:
    """Take a turn of the exposure's thread on one channel.

    `is_due`: UNCONFIRMED_AFTER_S have passed since its first look was reported. Before that, a turn
    that could say `unconfirmed` is due again then.
    """
    settings, speaker = listener.settings, listener.speaker
    now = speaker.clock()
    may_say_unconfirmed = _says_unconfirmed(exposure, settings)

    def decide(latest: Statement | None) -> Statement | None:
        return decide_exposure(exposure, latest, settings.audience, says_unconfirmed=may_say_unconfirmed and is_due)

    def render(attempt: MessageAttempt) -> OutgoingMessage:
        fields = build_exposure_fields(exposure, attempt, now, console_url=console_url)
        return render_message(fields, settings.format, settings.template)

    turn = say(build_exposure_key(exposure.exposure_id), speaker, decide, render, retries=retries)
    if turn == Turn() and not is_due and may_say_unconfirmed and exposure.state is ExposureState.OPEN:
        return Turn(again_at=now + timedelta(seconds=UNCONFIRMED_AFTER_S), waits_for_look=True)
    return turn


def _says_unconfirmed(exposure: Exposure, settings: ChannelSettings) -> bool:
    if settings.unconfirmed is Unconfirmed.RAW:
        return exposure.subject.protocol not in ("", "tcp")
    return settings.unconfirmed is Unconfirmed.ALWAYS
