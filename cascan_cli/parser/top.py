"""Arguments of `cascan top`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from cascan_cli.parser import Commands


def add_top_command(commands: Commands, stack: ArgumentParser) -> None:
    top = commands.add_parser(
        "top",
        parents=[stack],
        help="live view of scans, findings, exposures and queues",
        description="Show what the stack does, until q: scans that run with their progress, findings as they come, "
        "exposures without a decision, and how many messages wait in the queues. Reads the stack every 2 seconds.",
        epilog="Keys: the arrows choose a row, enter shows the scan with its findings, escape goes back, tab changes "
        "the list, q ends. Install Textual with: pip install 'cascan[top]'.",
    )
    top.set_defaults(run="top")
