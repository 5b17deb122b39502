"""The argument parser of the `cascan` command, with the --help text of its main page."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, cast

from cascan_cli.parser.cascades import add_cascade_commands
from cascan_cli.parser.check import add_check_commands
from cascan_cli.parser.completion import add_completion_command
from cascan_cli.parser.control import add_control_commands
from cascan_cli.parser.doctor import add_doctor_command
from cascan_cli.parser.exposure import add_exposure_commands
from cascan_cli.parser.history import add_history_commands
from cascan_cli.parser.inventory import add_inventory_commands
from cascan_cli.parser.local import add_local_command
from cascan_cli.parser.messages import add_messages_commands
from cascan_cli.parser.network import add_network_commands
from cascan_cli.parser.pages import add_page_commands
from cascan_cli.parser.query import add_query_command
from cascan_cli.parser.read import add_read_command
from cascan_cli.parser.reading import add_reading_commands
from cascan_cli.parser.redrive import add_redrive_commands
from cascan_cli.parser.reparse import add_reparse_command
from cascan_cli.parser.schedule import add_schedule_commands
from cascan_cli.parser.search import add_search_command
from cascan_cli.parser.sentence_parser import OneCommand, SentenceParser
from cascan_cli.parser.severity import add_severity_commands
from cascan_cli.parser.shared_options import (
    FOR_THIS_SCAN,
    output_options,
    policy_options,
    request_options,
    stack_options,
    wait_options,
)
from cascan_cli.parser.top import add_top_command
from cascan_cli.parser.ui import add_ui_command
from cascan_cli.parser.vantage import add_vantage_commands
from cascan_cli.parser.vuls import add_vuls_commands
from cascan_cli.parser.worker import add_worker_command
from cascan_cli.version import PrintVersion

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Scan networks with nmap through a pipeline of events, on this machine or on a
stack in AWS.

  cascan scan 127.0.0.1                      scan, wait, print the findings
  cascan scan 10.0.0.0/24 -- -sV -p 22,443   the same, with options for nmap
  cascan submit -f scan.yaml                 submit a request from a file
  cascan scans                               list the scans
  cascan findings latest --json              print the findings of a scan
  cascan show latest                         one scan as a whole
  cascan host 10.0.0.5                       all that is known of a host
  cascan explain 4f2a9c11                    why a finding, and what to do
  cascan search CVE-2021-44228               which hosts ever had it
  cascan query "SELECT … FROM findings"      SQL over all of this
  cascan diff                                what changed since earlier scans
  cascan inventory --port 22                 what is open now, and since when
  cascan when 10.0.0.5:22                    how a port changed over time
  cascan at 2026-03-03 --port 6379           what was open at a time
  cascan reach 10.0.0.5                      from where its ports are reachable
  cascan report latest --as html -o FILE     all about a scan on one page
  cascan report latest --xml                 print the XML that nmap wrote
  cascan watch                               progress of running scans
  cascan wait latest --fail-on high          wait for the end of a scan
  cascan delete latest                       remove a scan; its history stays
  cascan cancel latest                       end a scan; also suspend, resume
  cascan halt                                stop all scanning on the stack
  cascan top                                 live view in a terminal
  cascan ui                                  all of it in a browser
  cascan doctor                              check the stack and this machine
  cascan redrive list                        messages that were given up
  cascan reparse latest                      findings anew from stored reports
  cascan read scan.xml                       findings from any nmap report
  cascan local up                            keep the local stack running
  cascan check 10.0.0.0/24 -- -sV            explain a request without scanning
  cascan cost 10.0.0.0/24 -- -sV             estimate what it would cost on AWS
  cascan targets 10.0.0-3.1,5/30             list the addresses of targets
  cascan options -oN                         how an option of nmap is handled
  cascan apply -f rules/                     store rules for follow-up scans
  cascan rules test nmap-http --scan latest  what a rule would start, and why
  cascan apply -f nightly.yaml               store a scheduled scan
  cascan schedule list                       list, pause and run schedules
  cascan tree latest                         the scans that followed a scan
  cascan severity apply -f rules.yaml        set the rules for severities
  cascan exposure check                      what is open and not expected
  cascan messages set channels.yaml          hear of what changed, once
  cascan vantage list                        the places to scan from
  cascan network list                        networks whose hosts may move
  cascan vuls scan --help                    which of Vuls' ports are open"""

EPILOG = """\
exit codes: 0 done; 1 partial: part of the result is missing, or no host
            answered; 2 refused or bad input; 3 failed; 4 a condition of
            --fail-on is met, or expected exposure is violated

Scan only what you have permission to scan."""
RAW = RawDescriptionHelpFormatter


def build_parser(command: str = "") -> SentenceParser:
    """The parser of all commands; or only of this one, if there is a command of this name."""
    top, commands = _build_top()
    if command:
        one = OneCommand(commands, command)
        _add_commands(cast("Commands", one))
        if one.is_found:
            return top
    _add_commands(commands)
    return top


def _build_top() -> tuple[SentenceParser, Commands]:
    top = SentenceParser(prog="cascan", description=DESCRIPTION, epilog=EPILOG, formatter_class=RAW)
    top.add_argument("--version", action=PrintVersion, help="print the versions of cascan and nmap, and end")
    commands: Commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    return top, commands


def _add_commands(commands: Commands) -> None:
    stack, output, request = stack_options(), output_options(), request_options()
    _add_scanning(commands, stack, request, output)
    add_reading_commands(commands, stack, output)
    add_page_commands(commands, stack, output)
    add_search_command(commands, stack, output)
    add_query_command(commands, stack, output)
    add_inventory_commands(commands, stack, output)
    add_history_commands(commands, stack, output)
    add_control_commands(commands, stack, output)
    _add_running(commands, stack, output)
    add_redrive_commands(commands, stack, output)
    add_reparse_command(commands, stack, output)
    add_doctor_command(commands, stack, output)
    add_read_command(commands)
    add_check_commands(commands, request, output)
    add_cascade_commands(commands, stack, output)
    add_schedule_commands(commands, stack, output)
    add_severity_commands(commands, stack, output)
    add_exposure_commands(commands, stack, output)
    add_messages_commands(commands, stack, output)
    add_vantage_commands(commands, stack, output)
    add_network_commands(commands, stack, output)
    add_vuls_commands(commands, stack, output)
    add_worker_command(commands, stack)
    add_top_command(commands, stack)
    add_ui_command(commands, stack)
    add_completion_command(commands)


def _add_scanning(
    commands: Commands,
    stack: ArgumentParser,
    request: ArgumentParser,
    output: ArgumentParser,
) -> None:
    wait, policy = wait_options(), policy_options(FOR_THIS_SCAN)
    scan = commands.add_parser(
        "scan",
        parents=[stack, policy, request, output, wait],
        formatter_class=RAW,
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


def _add_running(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    add_local_command(commands, output)
    rebuild = commands.add_parser(
        "rebuild",
        parents=[stack, output],
        help="rebuild a lost table from the bucket",
        description="Rebuild a lost table from the records and reports in the bucket. Scans that are "
        "still in the table are left unchanged, unfinished scans go on, and finished scans "
        "are not announced again.",
    )
    rebuild.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    rebuild.set_defaults(run="rebuild")
    migrate = commands.add_parser(
        "migrate",
        parents=[stack, output],
        help="move what an earlier version stored to the present layout of the table",
        description="Move the inventory and the findings that an earlier version stored to the present layout "
        "of the table. The stack goes on meanwhile, and everything can be read before and after. The command may "
        "be interrupted and repeated. Exit code 1: some scans have not ended an hour ago; repeat it later.",
    )
    migrate.set_defaults(run="migrate")

    egress = commands.add_parser(
        "egress",
        parents=[output],
        help="compute the WorkerEgress parameter from AllowedTargets",
        description="Print the networks that workers in the stack's own VPC must reach: the value of its "
        "parameter WorkerEgress. Sends nothing.",
    )
    egress.add_argument("allowed", nargs="+", metavar="ALLOWED", help="the stack's AllowedTargets")
    egress.add_argument(
        "--deny",
        action="append",
        default=[],
        metavar="DENIED",
        help="the stack's DeniedTargets",
    )
    egress.add_argument(
        "--network",
        choices=["public", "nat", "endpoints"],
        default="public",
        help="the stack's WorkerNetwork, which decides on the remarks",
    )
    egress.set_defaults(run="egress")
