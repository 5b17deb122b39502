"""Arguments of `cascan doctor`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan_cli.parser import Commands


def add_doctor_command(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    doctor = commands.add_parser(
        "doctor",
        parents=[stack, output],
        help="check a stack and what it needs, and say what mends it",
        description="Check a stack and what it needs: queues, dead letters, halt, overdue work, stuck scans; on AWS "
        "also metrics, worker images, quotas and network; on this machine nmap, disk and port. Starts no stack and "
        "changes none. Exit code 0: all is well; 1: there are warnings; 3: there are problems.",
    )
    doctor.set_defaults(run="doctor")
