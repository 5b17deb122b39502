"""Arguments of `cascan schedule`: scans that are repeated at set times."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command
from cascan_cli.parser.shared_options import add_listing_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

ACTIONS = (
    ("show", "print the next times of a schedule, its scans and their changes"),
    ("pause", "start no more scans until it is resumed; running scans go on"),
    ("resume", "let a paused schedule start scans again"),
    ("run-now", "start a scan at once, even while the schedule is paused"),
    ("delete", "delete a schedule; its scans are kept"),
)


def add_schedule_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    schedule = commands.add_parser(
        "schedule",
        help="list, show, pause, resume, run and delete scheduled scans",
        description="Manage scheduled scans. `cascan apply` stores them from ScheduledScan manifests.",
    )
    actions = schedule.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_listing_options(add_command(actions, "list", [stack, output], "list schedules with the next time of each"))
    for name, text in ACTIONS:
        action = add_command(actions, name, [stack, output], text)
        action.add_argument("schedule", metavar="SCHEDULE", help="name of the schedule")
    schedule.set_defaults(run="schedule")
