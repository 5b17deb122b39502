"""A notice: one message about something that happened once, on every channel that wants notices."""

from __future__ import annotations

from cascan.limits import MAX_MESSAGE_FIELD_CHARS
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.fields import Fields, build_attempt_fields
from cascan.messages.notices import DIGEST
from cascan.messages.render import render_message
from cascan.messages.say import Listener, Turn, say
from cascan.model.finding import Severity
from cascan.model.message import MessageAttempt, OutgoingMessage, Statement, Step

MAX_NOTICE_FIELDS = 32


def say_notice(key: str, notice: Fields, listener: Listener, *, retries: bool = False) -> Turn:
    """Take a turn of the notice's thread. `notice`: its fields."""
    settings = listener.settings
    if not _wants_notice(settings, notice):
        return Turn()
    severity = Severity(notice["severity"])
    statement = Statement(step=Step.NOTICE, severity=severity)
    kept = {name: text[:MAX_MESSAGE_FIELD_CHARS] for name, text in list(notice.items())[:MAX_NOTICE_FIELDS]}

    def decide(latest: Statement | None) -> Statement | None:
        return statement if latest is None else None

    def render(attempt: MessageAttempt) -> OutgoingMessage:
        fields = kept | build_attempt_fields(key, attempt)
        return render_message(fields, settings.format, settings.template)

    return say(key, listener.speaker, decide, render, retries=retries, notice=kept)


def _wants_notice(settings: ChannelSettings, notice: Fields) -> bool:
    owner, owners = notice.get("owner", ""), settings.audience.owners
    is_wanted = settings.digest if notice.get("kind") == DIGEST else settings.notices
    return is_wanted and (not owner or not owners or owner in owners)
