"""Arguments of `cascan worker`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Run the shards of a vantage from this machine, one after the other, until
Ctrl-C. It needs nmap, and credentials that may read the stack and the table,
drain the vantage's queue and store reports. docs/vantages.md has the rest.

  cascan worker --vantage office --stack prod
  sudo cascan worker --vantage office --lane raw --stack prod --idle-exit 600"""


def add_worker_command(commands: Commands, stack: ArgumentParser) -> None:
    worker = commands.add_parser(
        "worker",
        parents=[stack],
        formatter_class=RawDescriptionHelpFormatter,
        help="run the shards of a vantage from this machine",
        description=DESCRIPTION,
    )
    worker.add_argument("--vantage", required=True, metavar="NAME", help="whose queue it drains")
    worker.add_argument(
        "--lane",
        choices=["connect", "raw"],
        help="which of its queues; raw needs raw sockets; default: connect if there is one",
    )
    worker.add_argument(
        "--idle-exit",
        type=int,
        metavar="SECONDS",
        help="end after so long without a shard; default: never",
    )
    worker.set_defaults(run="worker")
