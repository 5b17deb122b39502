"""A notice: one message about something that happened once, on every channel that wants notices.

A thread may have several: one that something began, and one that it is over. Their statements have details.
"""

from __future__ import annotations

from cascan.limits import MAX_MESSAGE_FIELD_CHARS
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.fields import Fields, build_attempt_fields
from cascan.messages.render import render_message
from cascan.messages.send_next import Listener, Turn, send_next
from cascan.messages.series_notices import DIGEST
from cascan.model.finding import Severity
from cascan.model.message import CLOSED_STEPS, MessageAttempt, OutgoingMessage, Statement, Step
from cascan.model.mute import MUTE_SUMMARY

MAX_NOTICE_FIELDS = 32


def send_notice(key: str, notice: Fields, listener: Listener, *, detail: str = "", retries: bool = False) -> Turn:
    """Take a turn of the notice's thread. `notice`: its fields. `detail`: of its statement."""
    settings = listener.settings
    if not _wants_notice(settings, notice):
        return Turn()
    severity = Severity(notice["severity"])
    step = Step.RESOLVED if notice.get("step") == Step.RESOLVED else Step.NOTICE
    statement = Statement(step=step, severity=severity, detail=detail)
    kept = {name: text[:MAX_MESSAGE_FIELD_CHARS] for name, text in list(notice.items())[:MAX_NOTICE_FIELDS]}

    def decide(latest: Statement | None) -> Statement | None:
        return decide_notice(latest, statement)

    def render(attempt: MessageAttempt) -> OutgoingMessage:
        fields = kept | build_attempt_fields(key, attempt)
        return render_message(fields, settings.format, settings.template)

    return send_next(key, listener.sender, decide, render, retries=retries, notice=kept)


def decide_notice(latest: Statement | None, statement: Statement) -> Statement | None:
    """The statement, if a message with it is due. None: it was sent, it is late, or there is nothing to resolve.

    `latest`: the last statement of the thread. The detail without its last part is in the order of time.
    """
    if latest is None:
        return None if statement.step in CLOSED_STEPS else statement
    is_later = statement.detail.rpartition("/")[0] > latest.detail.rpartition("/")[0]
    is_closed = latest.step in CLOSED_STEPS and statement.step in CLOSED_STEPS
    return statement if is_later and not is_closed else None


def _wants_notice(settings: ChannelSettings, notice: Fields) -> bool:
    if notice.get("kind") == MUTE_SUMMARY:
        return True
    owner, owners = notice.get("owner", ""), settings.audience.owners
    is_wanted = settings.digest if notice.get("kind") == DIGEST else settings.notices
    return is_wanted and (not owner or not owners or owner in owners)
