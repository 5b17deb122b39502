"""The words of the commands about what is known beyond one scan: `inventory` and `diff`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

INVENTORY = """\
What is open now, with when it was seen first and last, by address, network,
port or service.

  cascan inventory 10.0.0.0/16 --port 22
  cascan inventory --service https --json"""
DIFF = """\
What a scan saw otherwise than the last scans that covered the same addresses
and ports. What was not covered is not closed. With OTHER, the two scans are
compared by their reports: from the earlier to the later.

  cascan diff                  of the latest scan
  cascan diff office-lan 4kq2  of the latest scan of a series, against another"""


def add_inventory_commands(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    inventory = commands.add_parser(
        "inventory",
        parents=[where, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="list what is open now, and since when",
        description=INVENTORY,
    )
    inventory.add_argument("addresses", nargs="*", metavar="ADDRESS", help="address, network or range; default: all")
    inventory.add_argument(
        "--port", action="append", default=[], metavar="PORT", help="open port: 22, or udp/53; may be repeated"
    )
    inventory.add_argument("--service", default="", metavar="NAME", help="service on an open port: ssh, https …")
    inventory.add_argument("--all", action="store_true", help="also hosts that are gone, and ports that closed")
    inventory.set_defaults(run="inventory")

    diff = commands.add_parser(
        "diff",
        parents=[where, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="print what a scan saw otherwise than those before",
        description=DIFF,
    )
    diff.add_argument("scan", nargs="?", metavar="SCAN", help=f"{SCAN_HELP}; default: latest")
    diff.add_argument("other", nargs="?", metavar="OTHER", help="compare with this scan alone")
    diff.add_argument("--all", action="store_true", help="also what was seen where nothing had looked before")
    diff.set_defaults(run="diff")
