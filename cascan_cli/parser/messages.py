"""Arguments of `cascan messages`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DEFAULT_FILE = "channels.yaml"
DESCRIPTION = """\
Channels that hear of what changed, once: each exposure is one thread.

  cascan messages set channels.yaml    from now on, messages go there
  cascan messages test team            send a message to try the channel
  cascan messages list                 what has not arrived, and why
  cascan messages retry                send that again

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
        help="channels that hear of what changed: Slack, Teams, SNS, a command",
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
    for command in (setting, show, listing, retry, test):
        command.set_defaults(run="messages")
