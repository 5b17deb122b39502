"""Arguments of the commands that look beyond one scan: inventory, diff."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP
from cascan_cli.parser.history import add_diff_options
from cascan_cli.parser.shared_options import SINCE_HELP, add_as_targets, add_export_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

INVENTORY = """\
List open ports, with the times they were first and last seen. Select them by
address, network, name, port, service, text or time.

  cascan inventory 10.0.0.0/16 --port 22
  cascan inventory --service https --json
  cascan inventory --text openssh --since 7d"""
DIFF = """\
Show what changed since the last scans that covered the same addresses and
ports. A port that the scan did not cover does not count as closed. With OTHER,
compare the reports of the two scans, from the earlier to the later.

  cascan diff                  changes that the latest scan found
  cascan diff office-lan 4kq2  latest scan of a series compared with another

With --since, compare what was open at a time with what is open now, over all
scans and series.

  cascan diff --since 2026-03-01 --network 10.0.0.0/16"""


def add_inventory_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    _add_inventory(commands, stack, output)
    _add_diff(commands, stack, output)


def _add_inventory(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    inventory = commands.add_parser(
        "inventory",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="list open ports, and since when they are open",
        description=INVENTORY,
    )
    _add_selection(inventory)
    add_as_targets(inventory)
    add_export_options(inventory)
    inventory.set_defaults(run="inventory")


def _add_selection(inventory: ArgumentParser) -> None:
    """The arguments that select hosts and ports."""
    inventory.add_argument(
        "addresses",
        nargs="*",
        metavar="ADDRESS",
        help="an address, network or range; default: all",
    )
    inventory.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="PORT",
        help="only hosts with this open port: 22 or udp/53; may be repeated",
    )
    inventory.add_argument(
        "--service",
        default="",
        metavar="NAME",
        help="only this service: ssh, https …",
    )
    inventory.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="HOST",
        help="only this host name, address, network or range; may be repeated",
    )
    inventory.add_argument(
        "--text",
        default="",
        metavar="TEXT",
        help="only ports whose host name, service, product or version has this text",
    )
    inventory.add_argument(
        "--since",
        metavar="DATE",
        help=f"only ports that were first seen open at or after this time: {SINCE_HELP}",
    )
    inventory.add_argument(
        "--all",
        action="store_true",
        help="include hosts that are gone and ports that closed",
    )
    inventory.add_argument(
        "--vantage",
        default="default",
        metavar="NAME",
        help="as seen from this vantage; default: from the stack itself",
    )


def _add_diff(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    diff = commands.add_parser(
        "diff",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="show what changed since earlier scans",
        description=DIFF,
    )
    diff.add_argument("scan", nargs="?", metavar="SCAN", help=f"{SCAN_HELP}; default: latest")
    diff.add_argument("other", nargs="?", metavar="OTHER", help="compare with this scan instead")
    diff.add_argument(
        "--all",
        action="store_true",
        help="include first observations, which have nothing to compare with",
    )
    add_diff_options(diff)
    add_export_options(diff)
    diff.set_defaults(run="diff")
