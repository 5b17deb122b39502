"""The words of `cascan` that interfere with what runs: cancel, suspend, resume, halt."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

OF_SCANS = (
    ("cancel", "end a scan now", "End a scan now. Running nmap stops within a heartbeat; what was found is kept."),
    (
        "suspend",
        "have a scan stand still",
        "Have a scan stand still. Workers keep the hosts that are finished and put back the rest; no attempt is lost.",
    ),
    ("resume", "have a suspended scan go on", "Have a suspended scan go on where it stood."),
)
SCANS_HELP = f"{SCAN_HELP}; of a series and of latest: what may be acted on, not what has ended"
HALT = (
    "Have everything stand still, on the whole stack: no worker starts, running nmap stops within a heartbeat, "
    "requests are accepted and wait. `cascan halt --lift` lets it go on."
)


def add_control_commands(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    options = ArgumentParser(add_help=False)
    options.add_argument("--reason", default="", metavar="TEXT", help="why; kept with the scan, and in the log")
    options.add_argument(
        "--timeout", type=float, default=60, metavar="SECONDS", help="how long to wait for the effect (default: 60)"
    )
    for name, text, description in OF_SCANS:
        command = commands.add_parser(name, parents=[where, output, options], help=text, description=description)
        command.add_argument("scans", nargs="+", metavar="SCAN", help=SCANS_HELP)
        command.set_defaults(run="control", action=name)
    halt = commands.add_parser(
        "halt",
        parents=[where, output, options],
        help="have everything stand still",
        description=HALT,
    )
    halt.add_argument("--lift", action="store_true", help="let it go on")
    halt.set_defaults(run="control", action="halt")
