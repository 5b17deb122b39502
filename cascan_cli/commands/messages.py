"""`cascan messages set|show|list|retry|test`: channels, and the messages that have not arrived."""

from __future__ import annotations

from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cascan.channels.apprise_services import MISSING, PACKAGE
from cascan.clock import to_wire, utc_now
from cascan.errors import RequestRefused
from cascan.ids import derive_event_id
from cascan.limits import MAX_CHANNEL_FILE_BYTES
from cascan.messages.channel_settings import ChannelFile, ChannelSettings
from cascan.messages.file_mutes import find_mute_problems, store_file_mutes
from cascan.messages.notices import build_notice_fields
from cascan.messages.read_channels import read_channels, to_stored_channels
from cascan.messages.work import MessageWork
from cascan.model.finding import Severity
from cascan.model.message import MessageThread
from cascan.recovery.operator_records import record_channels
from cascan_cli.errors import BadInput, CliError
from cascan_cli.input.text_file import read_text_file
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.messages import LISTED, list_threads, read_stored_channels, retry_messages
from cascan_cli.stack.open import StackGateways, open_stack

CHANNEL_COLUMNS = ("CHANNEL", "END", "FORMAT", "SEVERITY", "OWNERS")
COLUMNS = ("CHANNEL", "STATE", "SINCE", "TRIES", "MESSAGE", "REASON", "KEY")
NO_CHANNELS = "there are no channels; `cascan messages set FILE` stores them"


def run(args: Namespace) -> int:
    """Exit code 0: done. 2: the file or an option is invalid, and nothing was changed."""
    if args.action == "set":
        return _set(args)
    with open_stack(args) as stack:
        actions = {"show": _show, "list": _list, "retry": _retry, "test": _test}
        return actions[args.action](stack, args)


# ---- channels


def _set(args: Namespace) -> int:
    text = read_text_file(args.file, MAX_CHANNEL_FILE_BYTES)
    try:
        file = read_channels(text)
    except RequestRefused as refused:
        raise BadInput("\n".join(f"{args.file}: {reason}" for reason in refused.reasons)) from refused
    with open_stack(args) as stack:
        _check_file(file, stack)
        version = _store(text, stack)
        # Of the same file, too: an earlier try may have been interrupted here
        store_file_mutes(file.mutes, stack.mutes, utc_now(), by=stack.submitter)
        back_up(record_channels, stack.operator_records, stack.messages)
    if args.json:
        print_json({"version": version, "channels": [_to_json(channel) for channel in file.channels]})
    else:
        print(f"version {version}: {pluralize(len(file.channels), 'channel')}; they count within a minute")
    return 0


def _check_file(file: ChannelFile, stack: StackGateways) -> None:
    """Raises: BadInput: a channel that this stack cannot use, or a mute that lasts too long."""
    problems = list(find_mute_problems(file.mutes, stack.mutes.list_mutes(), utc_now()))
    for channel in file.channels:
        if channel.command and not stack.is_local:
            problems.append(f"channels.{channel.name}.command: commands run on one machine alone")
        if channel.apprise and (problem := _find_apprise_problem(channel.apprise, stack)):
            problems.append(f"channels.{channel.name}.apprise: {problem}")
        if channel.webhook and not stack.is_local:
            parameter = f"/<stack name>/messages/{channel.name}"
            advice = f"store the URL in a parameter of SSM, and write `parameter: {parameter}`"
            problems.append(f"channels.{channel.name}.webhook: {advice}")
    if problems:
        raise BadInput("\n".join(problems))


def _find_apprise_problem(config_file: str, stack: StackGateways) -> str:
    """Empty: this machine can use it."""
    if not stack.is_local:
        return "Apprise runs on one machine alone"
    if find_spec(PACKAGE) is None:
        return MISSING
    return "" if Path(config_file).is_file() else f"there is no file {config_file}"


def _store(text: str, stack: StackGateways) -> int:
    table = stack.messages
    current = table.channels()
    if current and current.text == text:
        return current.version
    version = current.version + 1 if current else 1
    stored = to_stored_channels(text, version=version, stored_at=utc_now(), stored_by=stack.submitter)
    if not table.put_channels(stored):
        raise CliError("another file was stored at the same moment; look at it with `cascan messages show`")
    return version


def _show(stack: StackGateways, args: Namespace) -> int:
    channels = read_stored_channels(stack.messages).channels
    listing = Listing(
        title="channels",
        unit="channel",
        items=channels,
        columns=CHANNEL_COLUMNS,
        to_row=_to_channel_row,
        to_json=_to_json,
    )
    print_listing(listing, args)
    if not channels and not args.json:
        print_message(NO_CHANNELS)
    return 0


def _to_channel_row(channel: ChannelSettings) -> tuple[object, ...]:
    audience = channel.audience
    owners = ", ".join(audience.owners)
    return channel.name, channel.end, channel.format.value, audience.severity.value, owners


def _to_json(channel: ChannelSettings) -> dict[str, Any]:
    """Without the URL, which may be secret."""
    return {
        "name": channel.name,
        "end": channel.end,
        "format": channel.format.value,
        "severity": channel.audience.severity.value,
        "owners": list(channel.audience.owners),
        "unconfirmed": channel.unconfirmed.value,
        "notices": channel.notices,
    }


# ---- messages


def _list(stack: StackGateways, args: Namespace) -> int:
    threads = list(list_threads(stack.messages, LISTED, args.channel))
    listing = Listing(
        title="messages on their way",
        unit="message",
        items=threads,
        columns=COLUMNS,
        to_row=_to_row,
        to_json=_thread_to_json,
        drop=("KEY", "TRIES"),
    )
    print_listing(listing, args)
    if not threads and not args.json:
        print_message("every message has arrived")
    return 0


def _to_row(thread: MessageThread) -> tuple[object, ...]:
    attempt = thread.attempt
    if attempt is None:
        return (thread.channel, "", "", "", "", "", thread.key)
    since = to_wire(attempt.at)
    return (thread.channel, attempt.state.value, since, attempt.tries, attempt.title, attempt.reason, thread.key)


def _thread_to_json(thread: MessageThread) -> dict[str, Any]:
    attempt = thread.attempt
    return {
        "key": thread.key,
        "channel": thread.channel,
        "state": attempt.state.value if attempt else "",
        "message_id": attempt.message_id if attempt else "",
        "title": attempt.title if attempt else "",
        "at": to_wire(attempt.at) if attempt else "",
        "tries": attempt.tries if attempt else 0,
        "reason": attempt.reason if attempt else "",
    }


def _retry(stack: StackGateways, args: Namespace) -> int:
    chosen = retry_messages(stack, set(args.key), args.channel)
    if args.json:
        print_json([_thread_to_json(thread) for thread in chosen])
    else:
        print(f"{pluralize(len(chosen), 'message')} will be sent again")
    return 0


def _test(stack: StackGateways, args: Namespace) -> int:
    channels = read_stored_channels(stack.messages).channels
    names = [channel.name for channel in channels]
    if not names:
        raise BadInput(NO_CHANNELS)
    if args.channel and args.channel not in names:
        raise BadInput(f"there is no channel {args.channel!r:.60}; there are {', '.join(names)}")
    now = utc_now()
    sentence = f"{stack.submitter or 'a person'} sent this at {to_wire(now)} to try the channel."
    title = "A message of cascan, to try this channel"
    notice = build_notice_fields("test", title, sentence, Severity.INFORMATIONAL)
    key = f"test/{derive_event_id('test', to_wire(now))}"
    work = MessageWork(scan_id="", cause_id=stack.submitter, key=key, channel=args.channel, notice=notice)
    stack.message_queue.send(work.to_wire())
    sent_to = [args.channel] if args.channel else names
    if args.json:
        print_json({"key": key, "channels": sent_to})
    else:
        print(f"sent to {', '.join(sent_to)}; what does not arrive is in `cascan messages list`")
    return 0
