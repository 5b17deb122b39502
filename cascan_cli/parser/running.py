"""Arguments of the commands that run a stack or move what it has stored."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser.local import add_local_command

if TYPE_CHECKING:
    from cascan_cli.parser import Commands


def add_running_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    add_local_command(commands, output)
    rebuild = commands.add_parser(
        "rebuild",
        parents=[stack, output],
        help="rebuild a lost table from the bucket",
        description="Rebuild a lost table from the records and reports in the bucket. Scans that are "
        "still in the table are left unchanged, unfinished scans go on, and finished scans "
        "are not announced again.",
    )
    rebuild.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    rebuild.set_defaults(run="rebuild")
    migrate = commands.add_parser(
        "migrate",
        parents=[stack, output],
        help="move what an earlier version stored to the present layout of the table",
        description="Move the inventory and the findings that an earlier version stored to the present layout "
        "of the table. The stack goes on meanwhile, and everything can be read before and after. The command may "
        "be interrupted and repeated. Exit code 1: some scans have not ended an hour ago; repeat it later.",
    )
    migrate.set_defaults(run="migrate")

    egress = commands.add_parser(
        "egress",
        parents=[output],
        help="compute the WorkerEgress parameter from AllowedTargets",
        description="Print the networks that workers in the stack's own VPC must reach: the value of its "
        "parameter WorkerEgress. Sends nothing.",
    )
    egress.add_argument("allowed", nargs="+", metavar="ALLOWED", help="the stack's AllowedTargets")
    egress.add_argument(
        "--deny",
        action="append",
        default=[],
        metavar="DENIED",
        help="the stack's DeniedTargets",
    )
    egress.add_argument(
        "--network",
        choices=["public", "nat", "endpoints"],
        default="public",
        help="the stack's WorkerNetwork, which decides on the remarks",
    )
    egress.set_defaults(run="egress")
