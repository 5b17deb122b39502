"""The words of `cascan read`."""

from __future__ import annotations

from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

MAX_JOBS = 64
DESCRIPTION = """\
Read reports that nmap wrote with -oX, from any version since 5, from files or
standard input, plain or gzip. No stack, no network. Memory stays the same
however large a report is.

  cascan read scan.xml                  findings, a line of JSON each
  nmap -oX - 127.0.0.1 | cascan read -  as nmap writes them
  cascan read scan.xml --as hosts       what nmap said of each host, as JSON
  cascan read scan.xml --as csv         for a spreadsheet, safe from formulas
  cascan read cut.xml --as xml          a report cut short as a whole one
  cascan read a.xml b.xml.gz --as xml   several reports as one
  cascan read big.xml --jobs 2          with two processes

Findings have secureCodeBox's format. Their ids and dates follow from the
report: read again, it gives the same lines."""
EPILOG = """\
exit codes: 0 whole; 1 damaged: what could be saved was printed, and what is
            wrong told on stderr; 2 not a report of nmap, or no such file"""


def add_read_command(commands: Commands) -> None:
    read = commands.add_parser(
        "read",
        formatter_class=RawDescriptionHelpFormatter,
        help="turn reports of nmap into findings, without a stack",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    read.add_argument("files", nargs="+", metavar="FILE", help="a report of nmap; - reads standard input")
    read.add_argument(
        "--as",
        dest="form",
        choices=["findings", "hosts", "xml", "csv"],
        default="findings",
        help="what to print (default: findings)",
    )
    read.add_argument(
        "--jobs",
        type=_jobs,
        default=1,
        metavar="N",
        help="processes to read with; XML, packed files and standard input are read by one (default: 1)",
    )
    read.add_argument(
        "--severity", metavar="RULES", help="judge findings by a file of severity rules: see `cascan severity --help`"
    )
    read.set_defaults(run="read")


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_JOBS:
        raise ArgumentTypeError(f"a number from 1 to {MAX_JOBS}")
    return int(text)
