"""Arguments of `cascan search`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser.shared_options import add_export_options, add_finding_selection

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DEFAULT_RESULTS = 100


def add_search_command(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    search = commands.add_parser(
        "search",
        parents=[stack, output],
        help="search the findings of all scans for words",
        description="List the findings of all ended scans that have the words, the newest scan first. Letters and "
        "digits count, without regard to case; the last word may be the beginning of a longer one, unless it is a "
        "single letter or digit that is all of TEXT or ends an address. A TEXT of several words has to occur as it is; "
        "of several TEXTs each has to occur.",
        epilog="On this machine an index is kept beside the data of the stack. It is made and brought up to date by "
        "the search itself. A stack in AWS has none: there the findings of the latest scans are read.",
    )
    search.add_argument("texts", nargs="+", metavar="TEXT", help="such as CVE-2021-44228 or 'openssh 8.9'")
    add_finding_selection(search, with_text=False, with_new=False)
    search.add_argument(
        "--limit",
        type=int,
        default=DEFAULT_RESULTS,
        metavar="N",
        help=f"how many findings to list (default: {DEFAULT_RESULTS})",
    )
    add_export_options(search)
    search.set_defaults(run="search", text="")
