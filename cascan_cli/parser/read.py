"""Arguments of `cascan read`."""

from __future__ import annotations

from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser.shared_options import add_export_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

MAX_JOBS = 64
DESCRIPTION = """\
Read XML reports of nmap (-oX), version 5 or later, from files or standard
input, plain or gzip. Needs no stack and no network. Memory use does not depend
on the size of the report.

  cascan read scan.xml                  findings, one line of JSON each
  nmap -oX - 127.0.0.1 | cascan read -  findings while nmap is running
  cascan read scan.xml --as hosts       all that nmap reported, as JSON
  cascan read scan.xml --as csv         for a spreadsheet, without formulas
  cascan read scan.xml --as sarif -o scan.sarif   for another tool
  cascan read cut.xml --as xml          a truncated report as a complete one
  cascan read a.xml b.xml.gz --as xml   merge several reports into one
  cascan read big.xml --jobs 2          use two processes

Findings are in secureCodeBox's format. Their ids and dates are derived from
the report, so the same report always gives the same lines."""
EPILOG = """\
exit codes: 0 complete; 1 damaged: what could be read was printed, and stderr
            says what is wrong; 2 not a report of nmap, or no such file"""


def add_read_command(commands: Commands) -> None:
    read = commands.add_parser(
        "read",
        formatter_class=RawDescriptionHelpFormatter,
        help="turn nmap reports into findings, without a stack",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    read.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="an nmap report; - reads standard input",
    )
    add_export_options(read, others=("findings", "hosts", "xml"), default="findings")
    read.add_argument(
        "--jobs",
        type=_jobs,
        default=1,
        metavar="N",
        help="number of processes, for findings, hosts and csv of plain files; else one (default: 1)",
    )
    read.add_argument(
        "--severity",
        metavar="RULES",
        help="apply the severity rules in this file: see `cascan severity --help`",
    )
    read.set_defaults(run="read")


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_JOBS:
        raise ArgumentTypeError(f"must be a number from 1 to {MAX_JOBS}")
    return int(text)
