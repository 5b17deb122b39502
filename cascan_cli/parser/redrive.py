"""Arguments of `cascan redrive`: the messages in dead-letter queues."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

ID_HELP = "id of a message, or at least 6 characters of its beginning; `cascan redrive list` shows them"


def add_redrive_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    redrive = commands.add_parser(
        "redrive",
        help="list, show, send back and drop messages that were given up",
        description="Manage the messages in dead-letter queues: work that failed as often as it may. Fix the cause "
        "first; then `cascan redrive send` has it tried again.",
    )
    actions = redrive.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_command(actions, "list", [stack, output], "list the messages, with what they are about and why they failed")
    show = add_command(actions, "show", [stack, output], "print a message with all that is known of it")
    show.add_argument("message", metavar="ID", help=ID_HELP)
    send = actions.add_parser(
        "send",
        parents=[stack, output],
        help="send messages back to the queue they came from",
        description="Send messages back to the queue they came from. Each is deleted only after it was sent. Shards "
        "go to their dead-letter queue, where on_shard_abandoned closes them, so that their scan ends.",
    )
    send.add_argument("messages", nargs="*", metavar="QUEUE|ID", help=f"a queue of `cascan redrive list`; {ID_HELP}")
    send.add_argument("--all", action="store_true", help="every message that can be sent back")
    drop = add_command(actions, "drop", [stack, output], "delete messages for good")
    drop.add_argument("messages", nargs="+", metavar="ID", help=ID_HELP)
    drop.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    redrive.set_defaults(run="redrive")
