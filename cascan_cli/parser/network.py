"""The arguments of `cascan network`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command
from cascan_cli.parser.shared_options import add_listing_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Where addresses change (DHCP, autoscaling), the inventory may know the hosts of
a network by their MAC address or name. A host that moved is then compared with
its record of the other address, and is no news. The narrowest network counts;
a request's own `identity` comes before it. docs/moving-hosts.md explains it.

  cascan network add 10.0.3.0/24 --identity mac
  cascan network list
  cascan network remove 10.0.3.0/24"""


def add_network_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    network = commands.add_parser(
        "network",
        help="set by what the hosts of a network are known",
        formatter_class=RawDescriptionHelpFormatter,
        description=DESCRIPTION,
    )
    actions = network.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = add_command(actions, "add", [stack, output], "set by what the hosts of a network are known")
    add.add_argument("network", metavar="NETWORK", help="such as 10.0.3.0/24 or 2001:db8::/64")
    add.add_argument(
        "--identity",
        required=True,
        choices=["address", "mac", "name"],
        help="mac: seen in the same layer 2 network, with raw sockets; name: of the request or reverse DNS",
    )
    add_listing_options(add_command(actions, "list", [stack, output], "list the networks"))
    remove = add_command(actions, "remove", [stack, output], "go back to what holds without it")
    remove.add_argument("network", metavar="NETWORK", help="as it was added")
    network.set_defaults(run="network")
