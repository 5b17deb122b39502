"""Arguments of `cascan vuls scan`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.parser import sentence
from cascan_cli.parser.shared_options import FOR_THIS_SCAN, policy_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Ask the ports that Vuls' results name, and write copies of the results that say
which of them are open from here. Vuls' report and tui read the copies; the
results themselves are not changed. docs/vuls.md has each step.

  cascan vuls scan --config config.toml --results results/
  vuls report -results-dir cascan-results

Each address of a server is asked the ports on which processes of affected
packages listen there. How to ask comes from the portscan sections of
config.toml.

exit codes: 0 every port was asked and answered, open or not; 1 of some nothing
            is known; 2 refused, or bad input; 3 failed"""


def add_vuls_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    text = "ask which of the ports that Vuls found are open from here"
    vuls = commands.add_parser("vuls", help=text, description=sentence(text))
    actions = vuls.add_subparsers(dest="action", metavar="ACTION", required=True)
    scan = actions.add_parser(
        "scan",
        parents=[stack, policy_options(FOR_THIS_SCAN), output],
        formatter_class=RawDescriptionHelpFormatter,
        help="ask the ports, and write copies of the results with the answers",
        description=DESCRIPTION,
    )
    scan.add_argument("--config", required=True, metavar="FILE", help="Vuls' config.toml")
    scan.add_argument(
        "--results",
        required=True,
        type=Path,
        metavar="PATH",
        help="a results JSON, or a folder: its newest run",
    )
    scan.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="NAME",
        help="only this server and its containers; may be repeated; default: all",
    )
    scan.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the copies go; default: cascan-results, here",
    )
    scan.add_argument(
        "--timeout",
        type=float,
        default=43_200,
        metavar="SECONDS",
        help="how long to wait for the scans (default: 12 hours)",
    )
    vuls.set_defaults(run="vuls")
