"""Arguments of the commands that show one thing as a whole: show, host, explain."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP
from cascan_cli.parser.history import add_vantage
from cascan_cli.parser.shared_options import add_export_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

EXPLAIN = """\
Explain a finding: which script or port it is from, the evidence as nmap wrote
it, what it means and what to do, which severity rules changed it, and since
when it is known.

  cascan explain 4f2a9c11              a finding of the latest scan
  cascan explain 4f2a9c11 --scan lan   of the latest scan of a series

The column ID of `cascan findings` has the beginning of the id."""
SHOW = """\
Show one scan as a whole: its request, outcome, findings, what changed since
the scan before in its series, what was not scanned and why, its cascade and
cost, and what to type next.

  cascan show latest      the newest scan
  cascan show office-lan  the newest scan of a series

The exit code is that of the scan."""
HOST = """\
Show all that is known of a host: from each vantage its ports now and in the
past, who saw it, its findings, exposures and identity.

  cascan host 10.0.0.5                    from each vantage
  cascan host db.example.com              each address that has the name
  cascan host 10.0.0.5 --vantage office   as one vantage sees it

With --as, write the findings alone, in the format of another tool."""


def add_page_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    show = commands.add_parser(
        "show",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="show one scan as a whole",
        description=SHOW,
    )
    show.add_argument("scan", metavar="SCAN", help=SCAN_HELP)
    show.set_defaults(run="show")

    host = commands.add_parser(
        "host",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="show all that is known of a host",
        description=HOST,
    )
    host.add_argument("host", metavar="ADDRESS", help="an address; or a name, for each address that has it")
    add_vantage(host)
    add_export_options(host)
    host.set_defaults(run="host")

    explain = commands.add_parser(
        "explain",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="explain a finding: why, what it means, what to do",
        description=EXPLAIN,
    )
    explain.add_argument("finding", metavar="FINDING", help="its id or fingerprint, or the beginning of one")
    explain.add_argument("--scan", default="latest", metavar="SCAN", help=f"{SCAN_HELP}; default: latest")
    explain.set_defaults(run="explain")
