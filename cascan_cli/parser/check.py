"""The commands that explain and do nothing: check, targets, options."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser.shared_options import POLICY_PROFILES, local_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands


def add_check_commands(commands: Commands, request: ArgumentParser, output: ArgumentParser) -> None:
    """`request` and `output` are the parents with the options these share with other commands."""
    check = commands.add_parser(
        "check",
        parents=[local_options(), request, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="explain what would become of a scan, without scanning",
        usage="cascan check TARGET... [options] [-- NMAP ARGS]\n       cascan check -f FILE [options]\n"
        "       cascan check --vuls FILE [SERVER...] [options]",
        description="Explain a request without scanning and without a stack: the decision about\n"
        "each option, the verdict about each target, the exact number of addresses,\n"
        "shards, the command line of nmap.\n\n"
        "exit codes: 0 it would be accepted; 2 refused",
    )
    check.add_argument("targets", nargs="*", metavar="TARGET")
    check.add_argument("-f", "--file", metavar="FILE", help="a request as for submit; - reads standard input")
    check.add_argument("--vuls", metavar="FILE", help="Vuls' config.toml: all its servers, or those named")
    check.add_argument("--stack", metavar="NAME", help="a deployed stack, whose parameters give the scope")
    check.add_argument(
        "--allow",
        action="append",
        metavar="TARGET",
        help="network or domain that may be scanned beside what the stack allows",
    )
    check.add_argument("--deny", action="append", metavar="TARGET", help="network or domain that may not be scanned")
    check.add_argument(
        "--policy-profile",
        choices=POLICY_PROFILES,
        help="what scripts and crafted packets may do; default: what the stack says",
    )
    check.add_argument("--verbose", action="store_true", help="name every script, also those that may do no harm")
    check.set_defaults(run="check")

    targets = commands.add_parser(
        "targets",
        parents=[output],
        help="print the addresses behind target expressions",
        description="Print addresses, one a line, each once, in the order nmap would take them. Nothing is sent. "
        "A name is not resolved: it is printed as it was written and counts as one address, "
        "or as many as its mask asks for.",
    )
    targets.add_argument("expressions", nargs="+", metavar="EXPR")
    targets.add_argument("--count", action="store_true", help="print how many there are; exact, and not enumerated")
    targets.add_argument(
        "--exclude", action="append", default=[], metavar="EXPR", help="leave this out; may be repeated"
    )
    targets.add_argument(
        "-6",
        action="store_true",
        dest="ipv6",
        help="the expressions are of IPv6, names as well; one with a colon says so itself",
    )
    targets.set_defaults(run="targets")

    options = commands.add_parser(
        "options",
        parents=[output],
        usage="cascan options [--json] [OPTION]",
        help="what is decided about each option of nmap, and why",
        description="Print the decision about each option of nmap and its reason; or look OPTION up as nmap would "
        "read it: an abbreviation, a cluster of letters. A word without a dash finds every name that holds it.",
    )
    options.set_defaults(run="options")
