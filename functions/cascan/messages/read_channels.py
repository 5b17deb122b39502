"""The text of an operator's file → the channels that messages go to. All problems are reported at once.

consoleUrl: https://cascan.example.com   # optional: messages link to its exposures
certificateDays: [21, 7, 1]              # notices before a certificate ends, and when it has; []: none
channels:
  payments:                              # a name of letters, digits, '-' and '_'
    webhook: https://hooks.slack.com/services/T0/B0/x
    format: slack                        # text, slack, teams, json
    severity: medium                     # this one and more severe ones; default: high
    owners: [payments@example.com]       # of the exposure file; absent: all
    unconfirmed: raw                     # never, raw, always; default: raw
    notices: true                        # scheduled scans that did not run or were partial, and the like
    quiet: [22:00-07:00 Europe/Berlin]   # its messages wait meanwhile; absent: never
    dropsRepeats: false                  # the other end drops a message whose Idempotency-Key it knows
    template: |
      ${title}
      ${sentence}

mutes:                                   # their messages wait; `cascan messages set` stores these mutes
  - hosts: [10.0.0.0/24]                 # addresses and networks; absent: all
    owners: [payments@example.com]       # absent: all
    from: 2026-12-01T22:00:00Z           # absent: now
    until: 2026-12-02T06:00:00Z
    why: new firewall

A channel has one of `webhook` (a URL), `parameter` (the name of a parameter of SSM with the URL),
`command` (a list: program and arguments, on one machine), `apprise` (a configuration file of Apprise,
on one machine), `topic: true` (the stack's SNS topic) and
`bus: true` (events MessageReady on the stack's bus, for API destinations).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any

import msgspec

from cascan.channels.webhook import find_url_problem
from cascan.errors import RequestRefused
from cascan.forms.fields import find_unknown_fields, read_struct
from cascan.forms.yaml_document import read_yaml
from cascan.forms.yaml_lines import find_line, find_lines
from cascan.limits import (
    MAX_CERTIFICATE_DAYS,
    MAX_CERTIFICATE_THRESHOLDS,
    MAX_CHANNEL_FILE_BYTES,
    MAX_CHANNEL_OWNERS,
    MAX_CHANNEL_TEMPLATE_CHARS,
    MAX_CHANNELS,
    MAX_COMMAND_ARGUMENTS,
    MAX_MUTES,
    MAX_PATH_CHARS,
    MAX_QUIET_WINDOWS,
    MAX_REASONS,
)
from cascan.messages.channel_settings import CERTIFICATE_DAYS, ENDS, ChannelFile, ChannelSettings, Mute, Unconfirmed
from cascan.messages.decide_exposure import Audience
from cascan.messages.fields import FIELD_NAMES
from cascan.messages.quiet_hours import find_quiet_problem
from cascan.messages.render import Format
from cascan.messages.template import find_template_problems
from cascan.model.finding import Severity
from cascan.model.message import StoredChannels
from cascan.model.refusal import Refusal, Rule

SOURCE = "the file"
MAX_DEPTH = 5
EXAMPLE_TIME = "2026-12-02T06:00:00Z"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PARAMETER = re.compile(r"/[A-Za-z0-9_./-]{1,500}")
SEVERITIES = ", ".join(severity.value.lower() for severity in Severity)


class _Channel(msgspec.Struct, frozen=True, rename="camel"):
    webhook: str = ""
    parameter: str = ""
    command: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_COMMAND_ARGUMENTS)] = ()
    apprise: Annotated[str, msgspec.Meta(max_length=MAX_PATH_CHARS)] = ""
    topic: bool = False
    bus: bool = False
    format: Format | None = None
    severity: str = Severity.HIGH.value
    owners: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CHANNEL_OWNERS)] = ()
    unconfirmed: Unconfirmed = Unconfirmed.RAW
    drops_repeats: bool = False
    notices: bool = True
    digest: bool = False
    quiet: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_QUIET_WINDOWS)] = ()
    template: Annotated[str, msgspec.Meta(max_length=MAX_CHANNEL_TEMPLATE_CHARS)] = ""


class _Mute(msgspec.Struct, frozen=True):
    until: str
    hosts: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CHANNEL_OWNERS)] = ()
    owners: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CHANNEL_OWNERS)] = ()
    begin: str = msgspec.field(default="", name="from")
    why: str = ""


def to_stored_channels(text: str, *, version: int, stored_at: datetime, stored_by: str) -> StoredChannels:
    """The file as it is stored: its text, and what it holds.

    Raises: RequestRefused: as read_channels.
    """
    parsed = msgspec.json.encode(read_channels(text)).decode()
    return StoredChannels(version=version, stored_at=stored_at, text=text, stored_by=stored_by, parsed=parsed)


def read_channels(text: str) -> ChannelFile:
    """Raises: RequestRefused: every problem with its line, up to MAX_REASONS."""
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_CHANNEL_FILE_BYTES:
        raise RequestRefused([f"{SOURCE} has {size} bytes, more than {MAX_CHANNEL_FILE_BYTES}"], Rule.LIMIT)
    document = read_yaml(text, MAX_DEPTH, SOURCE)
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise RequestRefused([f"line 1: {SOURCE} has to be a mapping with the key channels"])
    problems = find_unknown_fields(document, ("channels", "consoleUrl", "mutes", "certificateDays"), "")
    console_url = document.get("consoleUrl") or ""
    problems += _find_console_problems(console_url)
    certificate_days = _read_certificate_days(document.get("certificateDays"), problems)
    channels = _find_channels(document, problems)
    mutes = [_read_mute(index, fields, problems) for index, fields in enumerate(_list_mutes(document, problems))]
    settings = [_read_channel(name, fields, problems) for name, fields in channels.items()]
    if problems:
        raise _refuse(problems, find_lines(text))
    return ChannelFile(
        channels=tuple(channel for channel in settings if channel),
        mutes=tuple(mute for mute in mutes if mute),
        console_url=console_url.rstrip("/"),
        certificate_days=certificate_days,
    )


def _read_certificate_days(days: Any, problems: list[str]) -> tuple[int, ...]:
    if days is None:
        return CERTIFICATE_DAYS
    is_list = isinstance(days, list) and len(days) <= MAX_CERTIFICATE_THRESHOLDS
    if is_list and all(type(number) is int and 1 <= number <= MAX_CERTIFICATE_DAYS for number in days):
        return tuple(days)
    numbers = f"numbers from 1 to {MAX_CERTIFICATE_DAYS}"
    problems.append(f"certificateDays: has to be a list of at most {MAX_CERTIFICATE_THRESHOLDS} {numbers}")
    return ()


def _find_console_problems(url: object) -> Iterator[str]:
    if not isinstance(url, str):
        yield "consoleUrl: has to be a text"
    elif url and (problem := find_url_problem(url)):
        yield f"consoleUrl: {problem}"


def _find_channels(document: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    channels = document.get("channels") or {}
    if not isinstance(channels, dict):
        problems.append("channels: has to be a mapping of names")
        return {}
    if len(channels) > MAX_CHANNELS:
        problems.append(f"channels: has {len(channels)} channels, more than {MAX_CHANNELS}")
        return {}
    return channels


def _list_mutes(document: Mapping[str, Any], problems: list[str]) -> list[Any]:
    mutes = document.get("mutes") or []
    if isinstance(mutes, list) and len(mutes) <= MAX_MUTES:
        return mutes
    problems.append(f"mutes: has to be a list of at most {MAX_MUTES}")
    return []


def _read_mute(index: int, fields: Any, problems: list[str]) -> Mute | None:
    """The mute; None, with its problems added, if it has some."""
    path = f"mutes[{index}]"
    if not isinstance(fields, dict):
        problems.append(f"{path}: has to be a mapping with until")
        return None
    try:
        mute = read_struct(_Mute, fields, f"{path}.")
        networks = tuple(str(ip_network(host, strict=False)) for host in mute.hosts)
        begins_at, ends_at = (_read_instant(text) if text else None for text in (mute.begin, mute.until))
    except RequestRefused as refused:
        problems += refused.reasons
        return None
    except ValueError as exc:
        problems.append(f"{path}: {exc}")
        return None
    if ends_at is None:
        problems.append(f"{path}.until: has to be a time, as {EXAMPLE_TIME}")
        return None
    if begins_at and begins_at > ends_at:
        problems.append(f"{path}: ends before it begins; write the earlier time as from")
        return None
    return Mute(networks=networks, owners=mute.owners, begins_at=begins_at, ends_at=ends_at, why=mute.why)


def _read_instant(text: str) -> datetime:
    """Raises: ValueError: it is not an instant with its zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"{text!r:.40} is not a time; write it as {EXAMPLE_TIME}") from exc
    if moment.tzinfo is None:
        raise ValueError(f"{text!r:.40} has no zone; write {EXAMPLE_TIME}")
    return moment


def _read_channel(name: str, fields: Any, problems: list[str]) -> ChannelSettings | None:
    """The channel; None, with its problems added, if it has some."""
    path = f"channels.{name}"
    if not NAME.fullmatch(name):
        problems.append(f"channels: {name!r:.70} has to be 1 to 64 letters, digits, '-' or '_'")
        return None
    if not isinstance(fields, dict):
        problems.append(f"{path}: has to be a mapping with one of {', '.join(ENDS)}")
        return None
    try:
        channel = read_struct(_Channel, fields, f"{path}.")
    except RequestRefused as refused:
        problems += refused.reasons
        return None
    found = [f"{path}{problem}" for problem in _find_channel_problems(channel)]
    problems += found
    return None if found else _to_settings(name, channel)


def _find_channel_problems(channel: _Channel) -> Iterator[str]:
    ends = [end for end in ENDS if getattr(channel, end)]
    if len(ends) != 1:
        yield f": has {' and '.join(ends) or 'no end'}; write one of {', '.join(ENDS)}"
    if channel.webhook and (problem := find_url_problem(channel.webhook)):
        yield f".webhook: {problem}"
    if channel.parameter and not PARAMETER.fullmatch(channel.parameter):
        yield ".parameter: has to be the name of a parameter of SSM that begins with '/'"
    if any(not argument or "\0" in argument for argument in channel.command):
        yield ".command: no argument may be empty or contain a null character"
    if channel.apprise and (not channel.apprise.startswith("/") or not channel.apprise.isprintable()):
        yield ".apprise: has to be the whole path of a configuration file, such as /etc/cascan/apprise.yaml"
    if channel.apprise and channel.format not in (None, Format.TEXT):
        yield ".format: has to be text; Apprise translates it for each service"
    if channel.severity.upper() not in Severity.__members__:
        yield f".severity: {channel.severity!r:.40} is none of {SEVERITIES}"
    for problem in find_template_problems(channel.template, FIELD_NAMES):
        yield f".template: {problem}"
    if problem := find_quiet_problem(channel.quiet):
        yield f".quiet: {problem}"


def _to_settings(name: str, channel: _Channel) -> ChannelSettings:
    is_text = bool(channel.command or channel.apprise or channel.topic)
    return ChannelSettings(
        name=name,
        webhook=channel.webhook,
        parameter=channel.parameter,
        command=channel.command,
        apprise=channel.apprise,
        topic=channel.topic,
        bus=channel.bus,
        format=channel.format or (Format.TEXT if is_text else Format.JSON),
        audience=Audience(severity=Severity(channel.severity.upper()), owners=channel.owners),
        unconfirmed=channel.unconfirmed,
        drops_repeats=channel.drops_repeats,
        notices=channel.notices,
        digest=channel.digest,
        template=channel.template,
        quiet=channel.quiet,
    )


def _refuse(problems: list[str], lines: Mapping[str, int]) -> RequestRefused:
    numbered = []
    for problem in problems:
        path = re.split(r":? ", problem, maxsplit=1)[0]
        line = find_line(lines, path)
        numbered.append((line, Refusal(path, Rule.FIELD, f"line {line}: {problem}")))
    ordered = [refusal for _, refusal in sorted(numbered, key=lambda entry: entry[0])]
    excess = len(ordered) - MAX_REASONS
    if excess > 0:
        ordered[MAX_REASONS:] = [Refusal("", Rule.LIMIT, f"and {excess} more reasons")]
    return RequestRefused(ordered)
