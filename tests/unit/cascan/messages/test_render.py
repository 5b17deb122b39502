"""Messages in the formats of channels: templates of users, and hostile text that does nothing."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cascan.exposure.life import accept, start_exposure
from cascan.limits import MAX_MESSAGE_CHARS
from cascan.messages.fields import FIELD_NAMES, build_exposure_fields
from cascan.messages.inert_text import clean_text, escape_plain, escape_slack
from cascan.messages.render import Format, render_message
from cascan.messages.template import find_template_problems, render_template
from cascan.model.exposure import Exposure, ExposureAcceptance, ExposureState, ExposureSubject
from cascan.model.message import AttemptState, MessageAttempt, Statement, Step

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TELNET = ExposureSubject(vantage="internet", address="10.0.0.9", protocol="tcp", port=23, kind="unexpected-open")
EXPOSURE = replace(
    start_exposure(TELNET),
    state=ExposureState.CONFIRMED,
    episode=1,
    hostname="router.example.com",
    owner="network@example.com",
    sentence="tcp/23 is open; no entry holds this host",
    first_seen=NOON,
)
ATTEMPT = MessageAttempt(
    statement=Statement(step=Step.CONFIRMED), state=AttemptState.SENDING, message_id="m-1", number=1, at=NOON
)
HOSTILE = (
    "<!channel> <@U1> @here *bold* _it_ `code` ~no~ [x](https://evil.test) <https://evil.test|ok>\u202e\x1b[31m\nx"
)


def render(exposure: Exposure = EXPOSURE, layout: Format = Format.TEXT, template: str = "") -> str:
    fields = build_exposure_fields(exposure, ATTEMPT, NOON, console_url="https://cascan.example.com")
    return render_message(fields, layout, template).body


def test_a_text_message_says_what_where_whose_and_what_to_do() -> None:
    assert render().split("\n") == [
        "Confirmed: 10.0.0.9 tcp/23 unexpected-open (MEDIUM)",
        "tcp/23 is open; no entry holds this host",
        "Host: router.example.com",
        "Vantage: internet",
        "Owner: network@example.com",
        f"Acknowledge: cascan exposure ack {EXPOSURE.exposure_id}",
        f"https://cascan.example.com/exposures/{EXPOSURE.exposure_id}",
    ]


def test_a_decision_is_in_the_message() -> None:
    accepted = accept(EXPOSURE, ExposureAcceptance(by="eva", at=NOON, until=date(2027, 1, 31), why="ticket 7"))
    assert "Decided by eva: ticket 7\nAccepted until 2027-01-31" in render(accepted)


def test_every_field_has_a_value_or_is_empty_and_none_is_unknown() -> None:
    fields = build_exposure_fields(EXPOSURE, ATTEMPT, NOON)
    assert set(fields) == set(FIELD_NAMES)
    document = json.loads(render(layout=Format.JSON))
    assert document["exposure_id"] == EXPOSURE.exposure_id
    assert document["step"] == "confirmed"


def test_slack_gets_one_block_and_resolves_no_links_by_itself() -> None:
    document = json.loads(render(layout=Format.SLACK))
    block = document["blocks"][0]["text"]
    assert block["verbatim"] is True
    assert block["text"].startswith("*Confirmed: 10.0.0.9 tcp/23 unexpected-open (MEDIUM)*\n")
    assert document["unfurl_links"] is False


def test_hostile_text_is_inert_in_slack() -> None:
    text = json.loads(render(replace(EXPOSURE, sentence=HOSTILE), Format.SLACK))["blocks"][0]["text"]["text"]
    sentence = text.split("\n")[1]
    assert not set("<>*`~\u202e\x1b") & set(sentence)
    assert not re.search(r"&(?!amp;|lt;|gt;)", sentence)
    assert "://" not in sentence
    assert "@here" not in sentence
    assert not re.search(r"(^|\W)_\w", sentence)


def test_a_name_with_underscores_stays_readable_in_slack() -> None:
    assert escape_slack("web_server_1") == "web_server_1"


def test_teams_reads_no_markdown_of_a_field() -> None:
    card = json.loads(render(replace(EXPOSURE, sentence=HOSTILE), Format.TEAMS))["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    texts = [run["text"] for block in card["body"] for run in block["inlines"]]
    assert all("://evil" not in text and text.isprintable() for text in texts)


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_no_text_hides_breaks_lines_or_links(text: str) -> None:
    for escaped in (escape_plain(text), escape_slack(text)):
        assert "\n" not in escaped
        assert "://" not in escaped
        assert not set("\u202a\u202e\u2066\u200b\u200e\ufeff\x00\x1b") & set(escaped)
    assert not set("<>*`~") & set(escape_slack(text))


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert clean_text("a" * 10, 5) == "aaaa…"
    assert len(render(template="${sentence}\n" * 20 + "x" * 3_900)) == MAX_MESSAGE_CHARS


def test_a_template_of_a_user_puts_fields_in_order_and_leaves_empty_lines_of_fields_out() -> None:
    template = "${severity}: ${subject} costs $$5\nuntil ${until}\n\nend"
    assert render(template=template) == "MEDIUM: 10.0.0.9 tcp/23 costs $5\n\nend"


def test_a_field_that_looks_like_a_template_is_not_read_again() -> None:
    assert render_template("${a}", {"a": "${b}", "b": "secret"}) == "${b}"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("${nmae}", "${nmae} is not a field"),
        ("$name", "write ${name} for a field"),
        ("${a.b}", "write ${name} for a field"),
        ("${name", "write ${name} for a field"),
        ("5$", "write ${name} for a field"),
    ],
)
def test_a_wrong_template_is_explained(template: str, problem: str) -> None:
    assert problem in find_template_problems(template, ["name"])[0]


def test_a_right_template_has_no_problems() -> None:
    assert find_template_problems("$$ ${name}", ["name"]) == []


@pytest.mark.parametrize("state", [ExposureState.ACKNOWLEDGED, ExposureState.ACCEPTED, ExposureState.RESOLVED])
def test_only_what_awaits_a_decision_has_the_command_that_acknowledges_it(state: ExposureState) -> None:
    assert "cascan exposure ack" in render(replace(EXPOSURE, state=ExposureState.OPEN))
    assert "cascan exposure ack" not in render(replace(EXPOSURE, state=state))
