"""Arguments of the commands that control running scans: cancel, suspend, resume, halt."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

SCAN_ACTIONS = (
    (
        "cancel",
        "end a scan now",
        "End a scan now. Running nmap stops within a heartbeat; findings are kept.",
    ),
    (
        "suspend",
        "pause a scan",
        "Pause a scan. Workers keep the results of finished hosts and return the others to the queue; "
        "no attempt is used up.",
    ),
    ("resume", "continue a suspended scan", "Continue a suspended scan from where it stopped."),
)
SCANS_HELP = f"{SCAN_HELP}; of a series or `latest`, scans that have ended are skipped"
DELETE = (
    "Remove scans that have ended, with their findings, changes and reports, before their time to live ends. "
    "The inventory and the history stay. A series name means its newest scan only."
)
HALT = (
    "Stop all scanning on the stack: no worker starts, running nmap stops within a heartbeat, and new requests are "
    "accepted but wait. `cascan halt --lift` ends the halt."
)


def add_control_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--reason",
        default="",
        metavar="TEXT",
        help="why; logged, and stored with a halt or a cancelled scan",
    )
    options.add_argument(
        "--timeout",
        type=float,
        default=60,
        metavar="SECONDS",
        help="how long to wait until it takes effect (default: 60)",
    )
    for name, text, description in SCAN_ACTIONS:
        command = commands.add_parser(name, parents=[stack, output, options], help=text, description=description)
        command.add_argument("scans", nargs="+", metavar="SCAN", help=SCANS_HELP)
        command.set_defaults(run="control", action=name)
    delete = commands.add_parser("delete", parents=[stack, output], help="remove scans for good", description=DELETE)
    delete.add_argument("scans", nargs="+", metavar="SCAN", help=SCAN_HELP)
    delete.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    delete.add_argument("--no-wait", action="store_true", help="return before the stack has removed them")
    delete.add_argument(
        "--timeout",
        type=float,
        default=300,
        metavar="SECONDS",
        help="how long to wait until they are removed (default: 300)",
    )
    delete.set_defaults(run="delete")
    halt = commands.add_parser(
        "halt",
        parents=[stack, output, options],
        help="stop all scanning on the stack",
        description=HALT,
    )
    halt.add_argument("--lift", action="store_true", help="end the halt")
    halt.set_defaults(run="control", action="halt")
