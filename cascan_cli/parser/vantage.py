"""Arguments of `cascan vantage`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command
from cascan_cli.parser.shared_options import add_listing_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Places to scan from besides the stack itself: each is a pool of workers with a
name, and the queues that they drain. The inventory and the history are kept
for each of them. docs/vantages.md explains how to make one.

  cascan vantage add office --connect-queue URL --raw-queue URL \\
      --network 10.0.0.0/8 --description "the office's own network"
  cascan scan 203.0.113.7 --vantage default --vantage office
  cascan vantage list
  cascan vantage remove office"""


def add_vantage_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    vantage = commands.add_parser(
        "vantage",
        help="add, list and remove places to scan from",
        formatter_class=RawDescriptionHelpFormatter,
        description=DESCRIPTION,
    )
    actions = vantage.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = add_command(actions, "add", [stack, output], "make a vantage known, or change it")
    add.add_argument("name", metavar="NAME", help="its name, which requests use")
    for lane, scans in (("connect", "scans without raw sockets"), ("raw", "scans with raw sockets")):
        add.add_argument(
            f"--{lane}-queue",
            default="",
            metavar="URL",
            help=f"queue of the shards of {scans}; without it the vantage runs none",
        )
    add.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="CIDR",
        help="an IPv4 network that its workers reach; may be repeated; default: any",
    )
    add.add_argument(
        "--namespace",
        default="",
        metavar="NETNS",
        help="on this machine alone: the network namespace that nmap enters; its queues are made",
    )
    add.add_argument("--ipv6", action="store_true", help="its workers have IPv6")
    add.add_argument("--description", default="", metavar="TEXT", help="where it stands")
    add_listing_options(add_command(actions, "list", [stack, output], "list the vantages"))
    remove = add_command(actions, "remove", [stack, output], "refuse new scans of a vantage; its data stay")
    remove.add_argument("name", metavar="NAME", help="its name")
    remove.add_argument("--force", action="store_true", help="also while scans of it are open; these run to their end")
    vantage.set_defaults(run="vantage")
