"""A message in the format of its channel.

text    plain text, for commands and topics
slack   Slack's incoming webhooks, and others that read their form
teams   Microsoft Teams' workflows: an adaptive card
json    every field, for programs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from cascan.limits import MAX_MESSAGE_CHARS, MAX_MESSAGE_TITLE_CHARS
from cascan.messages.inert_text import ESCAPES, clean_text, escape_plain
from cascan.messages.template import render_template
from cascan.model.message import OutgoingMessage


class Format(StrEnum):
    TEXT = "text"
    SLACK = "slack"
    TEAMS = "teams"
    JSON = "json"


PLAIN_TEMPLATE = """\
${title}
${sentence}
Host: ${hostname}
Vantage: ${vantage}
Owner: ${owner}
Decided by ${by}: ${why}
Accepted until ${until}
Acknowledge: ${acknowledge}
${link}
"""
SLACK_TEMPLATE = """\
*${title}*
${sentence}
Host: ${hostname}
Vantage: ${vantage}
Owner: ${owner}
Decided by ${by}: ${why}
Accepted until ${until}
Acknowledge: `${acknowledge}`
${link}
"""
TEMPLATES = {Format.TEXT: PLAIN_TEMPLATE, Format.SLACK: SLACK_TEMPLATE, Format.TEAMS: PLAIN_TEMPLATE}
OWN_FIELDS = frozenset({"link", "acknowledge", "message_id"})  # made by cascan: they need no escape


def render_message(fields: Mapping[str, str], layout: Format, template: str = "") -> OutgoingMessage:
    """The message. `template`: empty: that of the format."""
    escape = ESCAPES[layout.value]
    values = {name: value if name in OWN_FIELDS else escape(value) for name, value in fields.items()}
    title = clean_text(escape_plain(fields["title"]), MAX_MESSAGE_TITLE_CHARS)
    text = render_template(template or TEMPLATES.get(layout, PLAIN_TEMPLATE), values)
    text = text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "\u2026"
    body = text if layout is Format.TEXT else json.dumps(_build_document(layout, text, values, title))
    return OutgoingMessage(
        message_id=fields["message_id"],
        key=fields["key"],
        title=title,
        body=body,
        content_type="text/plain; charset=utf-8" if layout is Format.TEXT else "application/json",
    )


def _build_document(layout: Format, text: str, values: Mapping[str, str], title: str) -> dict[str, Any]:
    if layout is Format.SLACK:
        section = {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
        return {"text": values["title"], "blocks": [section], "unfurl_links": False, "unfurl_media": False}
    if layout is Format.TEAMS:
        return _build_card(text)
    return {name: value for name, value in values.items() if value} | {"title": title, "text": text}


def _build_card(text: str) -> dict[str, Any]:
    """An adaptive card. Its text runs are not read as Markdown, as a TextBlock is."""
    runs = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line, "weight": weight}]}
        for line, weight in zip(text.split("\n"), ["Bolder", *["Default"] * text.count("\n")], strict=True)
    ]
    card = {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard"}
    content = card | {"version": "1.4", "body": runs}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}
