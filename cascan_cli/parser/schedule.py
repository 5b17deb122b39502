"""The words of `cascan schedule`: scans that come back on their own."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser import sentence

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

ACTIONS = (
    ("show", "print a schedule: its next times, its scans and what they changed"),
    ("pause", "start no scan of it until it is resumed; what runs goes on"),
    ("resume", "let it go on"),
    ("run-now", "start a scan of it at once, also while it is paused"),
    ("delete", "delete it; its scans are kept"),
)


def add_schedule_commands(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    schedule = commands.add_parser(
        "schedule",
        help="list, show, pause, resume, run and delete scheduled scans",
        description="Scheduled scans, which `cascan apply` stores from ScheduledScan manifests.",
    )
    actions = schedule.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "list the schedules, with the next time of each"
    actions.add_parser("list", parents=[where, output], help=text, description=sentence(text))
    for name, text in ACTIONS:
        action = actions.add_parser(name, parents=[where, output], help=text, description=sentence(text))
        action.add_argument("schedule", metavar="SCHEDULE", help="its name")
    schedule.set_defaults(run="schedule")
