"""Arguments of `cascan exposure`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command
from cascan_cli.parser.shared_options import add_export_options, add_listing_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DEFAULT_FILE = "exposure.yaml"
DESCRIPTION = """\
Expected exposure as code: a file says which ports should be reachable, from
where and why. Each open port that it does not expect is a violation.

  cascan exposure init -o exposure.yaml        write a first file
  cascan exposure check                        compare the inventory with it
  cascan exposure check --report scan.xml      a report, without a stack
  cascan exposure plan                         what a changed file would mean
  cascan exposure apply                        judge each report from now on
  cascan exposure list                         what is exposed now
  cascan why ID                                why one is in its state
  cascan exposure ack ID --why TEXT            known; also accept, reopen

  expected:
    - who: 10.0.0.0/28      # address, network, range, name, or a group
      ports: [443, 53/udp]
      from: [internet]      # vantages; absent: any
      until: 2027-03-31     # the last day
      why: card payments front end"""


def add_exposure_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    exposure = commands.add_parser(
        "exposure",
        help="expected exposure as code: which ports should be open, and what differs",
        formatter_class=RawDescriptionHelpFormatter,
        description=DESCRIPTION,
    )
    actions = exposure.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_init(actions, stack)
    _add_check(actions, stack, output)
    _add_plan(actions, stack, output)
    _add_show(actions, output)
    _add_apply(actions, stack, output)
    _add_list(actions, stack, output)
    _add_decisions(actions, stack, output)
    why = add_command(commands, "why", [stack, output], "why an exposure has its state and severity")
    why.add_argument("id", metavar="ID", help="of an exposure, or its beginning")
    why.set_defaults(run="exposures", action="why")


def _add_init(actions: Commands, stack: ArgumentParser) -> None:
    init = add_command(actions, "init", [stack], "write a first file that expects what is open now")
    init.add_argument("addresses", nargs="*", metavar="ADDRESS", help="an address, network or range; default: all")
    init.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to this file; default: print")
    init.add_argument("--force", action="store_true", help="overwrite the file")
    init.add_argument("--vantage", default="", metavar="NAME", help="only what this vantage sees; default: all")
    init.set_defaults(run="exposure_init")


def _add_check(actions: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    check = add_command(actions, "check", [stack, output], "list what differs from the file")
    check.epilog = "Exit code 0: no violation; 2: the file is invalid; 4: there is a violation."
    _add_file(check)
    _add_looks(check)
    add_export_options(check, with_secrets=False)
    check.add_argument("--all", action="store_true", help="list what is fine, too")
    check.add_argument("--strict", action="store_true", help="exit 4 also where a required port or host is missing")
    check.set_defaults(run="exposure_check")


def _add_plan(actions: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    plan = add_command(actions, "plan", [stack, output], "show what applying the file would change")
    _add_file(plan)
    _add_looks(plan)
    plan.add_argument("--against", metavar="FILE", help="compare with this file instead of the one that is applied")
    plan.set_defaults(run="exposure_plan")


def _add_show(actions: Commands, output: ArgumentParser) -> None:
    show = add_command(actions, "show", [output], "print the entries of a file, or those that hold a host")
    _add_file(show)
    show.add_argument("--host", default="", metavar="HOST", help="only entries that hold this address or name")
    add_listing_options(show)
    show.set_defaults(run="exposure_show")


def _add_file(command: ArgumentParser) -> None:
    command.add_argument(
        "file",
        nargs="?",
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"file with expected exposure; - reads standard input (default: {DEFAULT_FILE})",
    )


def _add_looks(command: ArgumentParser) -> None:
    command.add_argument(
        "--report",
        action="append",
        nargs="+",
        metavar="XML",
        help="judge these reports of nmap, each as one look, without a stack",
    )
    command.add_argument(
        "--vantage",
        default="",
        metavar="NAME",
        help="only as seen from this vantage; with --report: where the reports come from (default: default)",
    )


def _add_apply(actions: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    apply = add_command(actions, "apply", [stack, output], "store the file, and judge what is stored by it at once")
    apply.epilog = "From then on each recorded report is judged. Exit code 2: the file is invalid."
    _add_file(apply)
    apply.set_defaults(run="exposures")


def _add_list(actions: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    listing = add_command(actions, "list", [stack, output], "list exposures, by default those that are not resolved")
    states = ["open", "confirmed", "acknowledged", "accepted", "resolved"]
    listing.add_argument(
        "--state", default="", choices=states, metavar="STATE", help=f"only in this state: {', '.join(states)}"
    )
    listing.add_argument("--vantage", default="", metavar="NAME", help="only seen from this vantage")
    listing.add_argument("--host", default="", metavar="HOST", help="only of this address or name")
    add_listing_options(listing)
    listing.set_defaults(run="exposures")


def _add_decisions(actions: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    ack = add_command(actions, "ack", [stack, output], "acknowledge an exposure, until it is resolved")
    accept = add_command(actions, "accept", [stack, output], "accept an exposure until a date")
    reopen = add_command(actions, "reopen", [stack, output], "take an acknowledgement or an acceptance back")
    accept.add_argument("--until", required=True, metavar="DATE", help="the last day, as 2027-03-31 (UTC)")
    for command in (ack, accept, reopen):
        command.add_argument("id", metavar="ID", help="of the exposure, or its beginning, from cascan exposure list")
        command.set_defaults(run="exposures")
    accept.add_argument("--why", required=True, metavar="TEXT", help="the reason")
    for command in (ack, reopen):
        command.add_argument("--why", default="", metavar="TEXT", help="the reason")
