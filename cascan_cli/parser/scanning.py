"""Arguments of `cascan scan` and `cascan submit`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser.shared_options import FOR_THIS_SCAN, policy_options, wait_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands


def add_scanning_commands(
    commands: Commands,
    stack: ArgumentParser,
    output: ArgumentParser,
    request: ArgumentParser,
) -> None:
    wait, policy = wait_options(), policy_options(FOR_THIS_SCAN)
    scan = commands.add_parser(
        "scan",
        parents=[stack, policy, request, output, wait],
        formatter_class=RawDescriptionHelpFormatter,
        help="scan targets and print the findings",
        usage="cascan scan TARGET... [options] [-- NMAP ARGS]",
        description="Scan targets, wait for the scan to end, print the findings.\n\n"
        "TARGET is an address, a network, an nmap range (10.0.0-3.1-50) or a host name;\n"
        "with ports of its own as 10.0.0.5:22,53/udp or [2001:db8::5]:443. A - reads\n"
        "targets from standard input.\n\n"
        "Options after -- are checked and passed to nmap: cascan scan host -- -sV -p 443",
    )
    scan.add_argument("targets", nargs="*", metavar="TARGET")
    scan.set_defaults(run="scan")

    submit = commands.add_parser(
        "submit",
        parents=[stack, policy, output, wait],
        help="submit a request from a file",
        usage="cascan submit -f FILE [options]\n       cascan submit --vuls FILE [SERVER...] [options]",
        description="Submit a scan request as JSON or YAML: cascan's short form or a secureCodeBox Scan "
        "manifest. With --vuls, submit one request for each server of a Vuls configuration, "
        "one after the other. Waits for the scan to end and prints the findings, as `cascan "
        "scan` does.",
    )
    source = submit.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help="file with the request; - reads standard input",
    )
    source.add_argument("--vuls", metavar="FILE", help="a Vuls configuration (config.toml)")
    submit.add_argument(
        "servers",
        nargs="*",
        metavar="SERVER",
        help="servers of the Vuls configuration; default: all",
    )
    submit.set_defaults(run="submit")
