"""Arguments of `cascan doctor`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser.shared_options import add_listing_options

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
    live = doctor.add_argument_group("live check", "scans that show what only a stack that runs can show")
    live.add_argument(
        "--live",
        metavar="TARGET",
        help="scan TARGET, an address or better a /24 within AllowedTargets, and say for each of these whether it "
        "passed: raw scan, report to findings, connection tracking, a stopped worker, a 30-minute shard, start and "
        "identity of workers, dead letters, cost. Says first what it scans and costs, and asks. Exit code 1: "
        "something failed",
    )
    live.add_argument("--quick", action="store_true", help="leave out the stopped worker and the 30-minute shard")
    live.add_argument(
        "--minutes", type=int, default=60, metavar="N", help="cancel what has not ended after N minutes (default: 60)"
    )
    live.add_argument("--yes", action="store_true", help="do not ask for confirmation of a live check")
    add_listing_options(doctor)
    doctor.set_defaults(run="doctor")
