"""Arguments of the commands that explain and scan nothing: check, cost, targets, options."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser.shared_options import POLICY_PROFILES, local_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands


def add_check_commands(commands: Commands, request: ArgumentParser, output: ArgumentParser) -> None:
    """`request` and `output` are parent parsers with options that other commands have too."""
    _add_check(commands, request, output)
    _add_cost(commands, request, output)
    _add_targets(commands, output)
    _add_options(commands, output)


def _add_check(commands: Commands, request: ArgumentParser, output: ArgumentParser) -> None:
    check = commands.add_parser(
        "check",
        parents=[local_options(), request, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="explain a request without scanning",
        usage="cascan check TARGET... [options] [-- NMAP ARGS]\n       cascan check -f FILE [options]\n"
        "       cascan check --vuls FILE [SERVER...] [options]",
        description="Explain a request without scanning and without a stack: the decision about\n"
        "each option, the verdict on each target, the exact number of addresses, the\n"
        "shards and the command line of nmap.\n\n"
        "exit codes: 0 the request would be accepted; 2 it would be refused",
    )
    _add_request_sources(check)
    check.add_argument(
        "--verbose",
        action="store_true",
        help="list every script, including the harmless ones",
    )
    check.set_defaults(run="check")


def _add_targets(commands: Commands, output: ArgumentParser) -> None:
    targets = commands.add_parser(
        "targets",
        parents=[output],
        help="print the addresses of target expressions",
        description="Print the addresses of target expressions: one per line, each once, in nmap's order."
        " Sends nothing. A host name is not resolved: it is printed as written and counts as "
        "one address, or as many as its mask covers.",
    )
    targets.add_argument("expressions", nargs="+", metavar="EXPR")
    targets.add_argument(
        "--count",
        action="store_true",
        help="print the exact number of addresses instead",
    )
    targets.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="EXPR",
        help="leave out these addresses; may be repeated",
    )
    targets.add_argument(
        "-6",
        action="store_true",
        dest="ipv6",
        help="read all expressions as IPv6, host names too; implied by any expression with a colon",
    )
    targets.set_defaults(run="targets")


def _add_options(commands: Commands, output: ArgumentParser) -> None:
    options = commands.add_parser(
        "options",
        parents=[output],
        usage="cascan options [--json] [OPTION]",
        help="show how each option of nmap is handled, and why",
        description="Print the decision about each option of nmap, with its reason. With OPTION, look it "
        "up as nmap would read it: an abbreviation or a cluster of letters works too. A word "
        "without a dash finds every option whose name contains it.",
    )
    options.set_defaults(run="options")


def _add_cost(commands: Commands, request: ArgumentParser, output: ArgumentParser) -> None:
    cost = commands.add_parser(
        "cost",
        parents=[local_options(), request, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="estimate what a request would cost on AWS",
        usage="cascan cost TARGET... [options] [-- NMAP ARGS]\n       cascan cost -f FILE [options]\n"
        "       cascan cost --vuls FILE [SERVER...] [options]",
        description="Estimate what a request would cost on AWS, without scanning and without a\n"
        "stack: how long nmap runs, the workers, the requests to each service, in US\n"
        "dollars, with a low and a high end and what they assume. A ScheduledScan is\n"
        "estimated for the runs of 30 days. docs/cost.md explains the method.\n\n"
        "exit codes: 0 estimated; 2 the request would be refused",
    )
    _add_request_sources(cost)
    cost.add_argument(
        "--prices",
        metavar="FILE",
        help="a JSON file with the prices to use; default: those that come with cascan (us-east-1)",
    )
    cost.add_argument(
        "--live-share",
        type=float,
        metavar="SHARE",
        help="the share of the addresses that are up, from 0 to 1; default: 0.1 at the low end, 1 at the high end",
    )
    cost.add_argument(
        "--runs",
        type=int,
        metavar="N",
        help="how often the request is run (default: 1; for a schedule, its runs of 30 days)",
    )
    cost.set_defaults(run="cost")


def _add_request_sources(command: ArgumentParser) -> None:
    """Where the request comes from, and against what it is checked."""
    command.add_argument("targets", nargs="*", metavar="TARGET")
    command.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help="a request as for `cascan submit`; - reads standard input",
    )
    command.add_argument(
        "--vuls",
        metavar="FILE",
        help="a Vuls configuration (config.toml): all its servers, or those named",
    )
    command.add_argument(
        "--stack",
        metavar="NAME",
        help="check against the scope and policy of this deployed stack",
    )
    command.add_argument(
        "--allow",
        action="append",
        metavar="TARGET",
        help="a network or domain that may be scanned in addition to what the stack allows",
    )
    command.add_argument(
        "--deny",
        action="append",
        metavar="TARGET",
        help="a network or domain that must not be scanned",
    )
    command.add_argument(
        "--policy-profile",
        choices=POLICY_PROFILES,
        help="how much scripts and packet-crafting options may do; default: the stack's profile",
    )
