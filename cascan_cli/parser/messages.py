"""Arguments of `cascan messages`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command
from cascan_cli.parser.shared_options import add_listing_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DEFAULT_FILE = "channels.yaml"
DESCRIPTION = """\
Channels get a message about what changed, once: each exposure is one thread.

  cascan messages set channels.yaml    from now on, messages go there
  cascan messages test team            send a message to try the channel
  cascan messages list                 what has not arrived, and why
  cascan messages retry                send that again
  cascan messages mute --network 10.0.0.0/24 --for 2h    during maintenance

  channels:
    team:
      webhook: https://hooks.slack.com/services/T0/B0/x
      format: slack            # text, slack, teams, json
      severity: medium         # and above; default: high
      owners: [payments@example.com]
    pager:
      command: [/usr/local/bin/page]    # on this machine"""


def add_messages_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    messages = commands.add_parser(
        "messages",
        help="send what changed to channels: Slack, Teams, SNS, a command",
        formatter_class=RawDescriptionHelpFormatter,
        description=DESCRIPTION,
    )
    actions = messages.add_subparsers(dest="action", metavar="ACTION", required=True)
    setting = add_command(actions, "set", [stack, output], "store a file of channels")
    setting.epilog = "It counts within a minute. Exit code 2: the file is invalid, and nothing was changed."
    setting.add_argument(
        "file",
        nargs="?",
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"file of channels; - reads standard input (default: {DEFAULT_FILE})",
    )
    show = add_command(actions, "show", [stack, output], "list the channels, without secrets")
    listing = add_command(actions, "list", [stack, output], "list messages that have not arrived, and why")
    retry = add_command(actions, "retry", [stack, output], "send messages again that are parked, or may have arrived")
    retry.epilog = "A message in the state unknown may arrive twice: look at the channel first."
    retry.add_argument("key", nargs="*", metavar="KEY", help="only these threads; default: all")
    for command in (listing, retry):
        command.add_argument("--channel", default="", metavar="NAME", help="only of this channel")
    test = add_command(actions, "test", [stack, output], "send a message to try channels")
    test.add_argument("channel", nargs="?", default="", metavar="NAME", help="one channel; default: all")
    add_listing_options(show, listing)
    for command in (setting, show, listing, retry, test):
        command.set_defaults(run="messages")
    _add_mute_commands(actions, stack, output)


def _add_mute_commands(actions: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    mute = add_command(actions, "mute", [stack, output], "for a time, hold messages about some hosts or scans")
    mute.usage = (
        "cascan messages mute (--network NETWORK... | --owner OWNER... |\n"
        "                             --series NAME... | --all)\n"
        "                            (--until TIME | --for DURATION) [options]"
    )
    mute.epilog = (
        "Nothing is lost: at the end, what is still true is sent in its thread, and one message on each channel"
        " reports what came and went meanwhile."
    )
    selection = mute.add_mutually_exclusive_group(required=True)
    selection.add_argument("--network", nargs="+", default=[], metavar="NETWORK", help="hosts in these networks")
    selection.add_argument("--owner", nargs="+", default=[], metavar="OWNER", help="hosts of these owners")
    selection.add_argument("--series", nargs="+", default=[], metavar="NAME", help="what scans of these series see")
    selection.add_argument("--all", action="store_true", help="everything")
    end = mute.add_mutually_exclusive_group(required=True)
    end.add_argument("--until", metavar="TIME", help="a time, or a date, which ends with its day in UTC")
    end.add_argument("--for", dest="duration", metavar="DURATION", help="such as 30m, 2h or 3d")
    mute.add_argument("--reason", default="", metavar="TEXT", help="why; the summary has it")
    unmute = add_command(actions, "unmute", [stack, output], "end a mute now")
    unmute.add_argument("mute_id", metavar="ID", help="the mute's id, from `cascan messages mutes`")
    mutes = add_command(actions, "mutes", [stack, output], "list mutes that have not ended")
    mutes.add_argument("--all", action="store_true", help="those of the last day that have ended, too")
    add_listing_options(mutes)
    for command in (mute, unmute, mutes):
        command.set_defaults(run="mutes")
