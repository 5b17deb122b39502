"""What changed of one exposure, said on every channel that hears of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cascan.exposure_updates.confirm import CONFIRMED_KINDS
from cascan.limits import UNCONFIRMED_AFTER_S
from cascan.messages.decide_exposure import decide_exposure
from cascan.messages.fields import build_exposure_fields, build_exposure_key
from cascan.messages.read_channels import ChannelSettings, Unconfirmed
from cascan.messages.render import render_message
from cascan.messages.say import Speaker, Turn, say
from cascan.model.exposure import Exposure, ExposureState
from cascan.model.message import MessageAttempt, OutgoingMessage, Statement


@dataclass(frozen=True, slots=True)
class Listener:
    """A channel as the file describes it, and the way to it."""

    settings: ChannelSettings
    speaker: Speaker


def say_exposure(
    exposure: Exposure,
    listeners: Iterable[Listener],
    *,
    is_due: bool = False,
    console_url: str = "",
    retries: bool = False,
) -> list[Turn]:
    """Take a turn on each channel. What comes of the turns is returned in the order of the channels.

    `is_due`: UNCONFIRMED_AFTER_S have passed since its first look was reported. Before that, a turn
    that could say `unconfirmed` is due again then.
    """
    return [_say(exposure, listener, is_due=is_due, console_url=console_url, retries=retries) for listener in listeners]


def can_be_confirmed_at_once(exposure: Exposure) -> bool:
    """Whether a connect scan of the port can be the second look."""
    return exposure.subject.protocol == "tcp" and exposure.subject.kind in CONFIRMED_KINDS


def _say(exposure: Exposure, listener: Listener, *, is_due: bool, console_url: str, retries: bool) -> Turn:
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
        return Turn(again_at=_find_due(now))
    return turn


def _says_unconfirmed(exposure: Exposure, settings: ChannelSettings) -> bool:
    if settings.unconfirmed is Unconfirmed.RAW:
        return exposure.subject.protocol not in ("", "tcp")
    return settings.unconfirmed is Unconfirmed.ALWAYS


def _find_due(now: datetime) -> datetime:
    return now + timedelta(seconds=UNCONFIRMED_AFTER_S)
