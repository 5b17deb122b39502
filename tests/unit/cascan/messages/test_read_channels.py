"""The file of channels: everything wrong with it at once, each with its line."""

from __future__ import annotations

import pytest

from cascan.errors import RequestRefused
from cascan.limits import MAX_CHANNEL_FILE_BYTES, MAX_CHANNELS
from cascan.messages.channel_settings import Unconfirmed
from cascan.messages.read_channels import read_channels
from cascan.messages.render import Format
from cascan.model.finding import Severity

FILE = """\
consoleUrl: https://cascan.example.com/
channels:
  payments:
    webhook: https://hooks.example.com/T0/x
    format: slack
    severity: medium
    owners: [payments@example.com]
    unconfirmed: always
    template: |
      ${title}
  pager:
    command: [/usr/local/bin/page, --urgent]
"""


def test_a_file_is_read() -> None:
    file = read_channels(FILE)
    assert file.console_url == "https://cascan.example.com"
    payments, pager = file.channels
    assert (payments.name, payments.end, payments.format) == ("payments", "webhook", Format.SLACK)
    assert (payments.audience.severity, payments.audience.owners) == (Severity.MEDIUM, ("payments@example.com",))
    assert (payments.unconfirmed, payments.template) == (Unconfirmed.ALWAYS, "${title}\n")
    assert (pager.command, pager.format) == (("/usr/local/bin/page", "--urgent"), Format.TEXT)
    assert (pager.audience.severity, pager.unconfirmed) == (Severity.HIGH, Unconfirmed.RAW)


def test_an_empty_file_has_no_channels() -> None:
    assert read_channels("").channels == ()


def list_problems(text: str) -> list[str]:
    with pytest.raises(RequestRefused) as refused:
        read_channels(text)
    return list(refused.value.reasons)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("{}", "line 2: channels.a: has no end; write one of webhook, parameter, command, apprise, topic, bus"),
        ("{webhook: 'https://a.test', topic: true}", "has webhook and topic"),
        ("{webhook: 'http://a.test'}", "has to begin with https://, since http:// is for this machine alone"),
        ("{webhook: 'ftp://a.test'}", "has to begin with https:// and a host"),
        ("{webhook: 'https://u:p@a.test'}", "has a user name or a password"),
        ("{webhook: 'https://a.test:x'}", "is not a URL"),
        ("{webhook: 'https://a.test/ b'}", "printable characters"),
        ("{parameter: slack}", "begins with '/'"),
        ("{command: ['']}", "no argument may be empty"),
        ("{command: page}", "command"),
        ("{topic: true, severity: urgent}", "'urgent' is none of informational, low, medium, high"),
        ("{topic: true, format: html}", "format"),
        ("{topic: true, template: '${x}'}", "line 2: channels.a.template: ${x} is not a field"),
        ("{topic: true, sevrity: low}", "severity"),
        ("7", "has to be a mapping"),
    ],
)
def test_a_problem_of_a_channel_names_the_field_and_what_to_write(fields: str, problem: str) -> None:
    assert problem in list_problems(f"channels:\n  a: {fields}\n")[0]


def test_all_problems_are_reported_in_the_order_of_their_lines() -> None:
    problems = list_problems("channels:\n  'a b': {topic: true}\n  c: {}\nconsoleUrl: http://a.test\nextra: 1\n")
    assert [problem.split(":")[0] for problem in problems] == ["line 1", "line 3", "line 4", "line 5"]


def test_a_secret_url_is_not_quoted_in_a_problem() -> None:
    assert "T0/secret" not in " ".join(list_problems("channels:\n  a: {webhook: 'http://a.test/T0/secret'}\n"))


def test_limits_hold() -> None:
    assert "bytes" in list_problems("#" * (MAX_CHANNEL_FILE_BYTES + 1))[0]
    many = "".join(f"  c{number}: {{topic: true}}\n" for number in range(MAX_CHANNELS + 1))
    assert "more than" in list_problems(f"channels:\n{many}")[0]


@pytest.mark.parametrize(
    "text",
    [
        "mutes: 5",
        "mutes: [5]",
        "mutes: [{until: x}]",
        "mutes: [{}]",
        "mutes: [{until: 2026-01-01T00:00:00Z, hosts: [x]}]",
        "[]",
        "channels: 5",
        "consoleUrl: 5",
    ],
)
def test_another_shape_is_refused(text: str) -> None:
    assert list_problems(text)


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ("until: tomorrow", "'tomorrow' is not a time; write it as 2026-12-02T06:00:00Z"),
        ('until: "2026-12-02T06:00:00"', "has no zone"),
        ('from: "2026-12-02T06:00:00Z", until: "2026-12-01T06:00:00Z"', "ends before it begins"),
    ],
)
def test_a_problem_of_a_mute_names_its_place_and_what_to_write(times: str, problem: str) -> None:
    (sentence,) = list_problems(f"mutes:\n  - {{{times}}}\n")
    assert sentence.startswith("line 2: mutes[0]")
    assert problem in sentence
