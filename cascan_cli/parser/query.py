"""Arguments of `cascan query`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Run SQL over what the stack knows. It reads four tables, and nothing else:

  findings    of what is open now; with --scan or --series of these
  inventory   each port of each host, and since when
  exposures   in every state
  scans       the newest 10,000

  cascan query "SELECT severity, count(*) FROM findings GROUP BY 1"
  cascan query "DESCRIBE inventory"           the columns of a table
  cascan query -f weekly.sql --as csv -o weekly.csv
  cascan query "FROM findings" --as parquet -o findings.parquet

The SQL is DuckDB's. Install it with: pip install 'cascan[query]'.
docs/query.md has the columns, examples and limits."""
FORMATS = ["csv", "json", "jsonl", "md", "parquet"]


def add_query_command(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    query = commands.add_parser(
        "query",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="SQL over findings, inventory, exposures and scans",
        description=DESCRIPTION,
    )
    query.add_argument("sql", nargs="?", default="", metavar="SQL", help="one SELECT; - reads standard input")
    query.add_argument("-f", "--file", default="", metavar="FILE", help="read the SQL from a file")
    query.add_argument(
        "--scan", default="", metavar="SCAN", help="findings of this scan: an id, the name of a series, or latest"
    )
    query.add_argument("--series", default="", metavar="NAME", help="findings of what this series knows to be there")
    export = query.add_argument_group("export")
    export.add_argument(
        "--as",
        dest="form",
        choices=FORMATS,
        default="",
        metavar="FORMAT",
        help=f"write the result as one of: {', '.join(FORMATS)}",
    )
    export.add_argument(
        "-o",
        "--output",
        default="",
        metavar="FILE",
        help="write to FILE, which appears when it is complete; - or none: standard output",
    )
    export.add_argument(
        "--with-secrets",
        action="store_true",
        help="show passwords that scripts found; without it, a query does not see them",
    )
    query.set_defaults(run="query")
