"""The words of the `cascan` command: what may be typed, and what --help says of it."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP, sentence
from cascan_cli.parser.cascades import add_cascade_commands
from cascan_cli.parser.check import add_check_commands
from cascan_cli.parser.control import add_control_commands
from cascan_cli.parser.inventory import add_inventory_commands
from cascan_cli.parser.read import add_read_command
from cascan_cli.parser.schedule import add_schedule_commands
from cascan_cli.parser.sentence_parser import SentenceParser
from cascan_cli.parser.severity import add_severity_commands
from cascan_cli.parser.shared_options import (
    FOR_THIS_SCAN,
    local_options,
    output_options,
    policy_options,
    request_options,
    stack_options,
    wait_options,
)

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Scan networks with nmap through a pipeline of events: on this machine, or on a
stack in AWS.

  cascan scan 127.0.0.1                      scan, wait, print the findings
  cascan scan 10.0.0.0/24 -- -sV -p 22,443   with options of nmap
  cascan submit -f scan.yaml                 a request, or a secureCodeBox Scan
  cascan scans                               what was scanned
  cascan findings latest --json              the findings of a scan
  cascan diff                                what the latest scan saw otherwise
  cascan inventory --port 22                 what is open now, and since when
  cascan report latest --xml                 what nmap wrote
  cascan cancel latest                       end it; also suspend, resume, halt
  cascan read scan.xml                       findings of any report of nmap
  cascan local up                            keep this machine's stack running
  cascan check 10.0.0.0/24 -- -sV            what would become of a scan
  cascan targets 10.0.0-3.1,5/30             the addresses behind expressions
  cascan options -oN                         what is decided about an option
  cascan apply -f rules/                     scans that follow from findings
  cascan rules test nmap-http --scan latest  what a rule would start, and why
  cascan apply -f nightly.yaml               scans that come back on their own
  cascan schedule list                       their next times; also pause …
  cascan tree latest                         the scans that followed a scan
  cascan severity apply -f rules.yaml        rules on severities of findings"""

EPILOG = """\
exit codes: 0 done; 1 partial: a part of the answer is missing, or nothing
            answered; 2 refused or bad input; 3 failed

Scan only what you have permission to scan."""
RAW = RawDescriptionHelpFormatter


def build_parser() -> SentenceParser:
    top = SentenceParser(prog="cascan", description=DESCRIPTION, epilog=EPILOG, formatter_class=RAW)
    top.add_argument("--version", action="version", version="cascan 0.1.0")
    commands: Commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    where, output, request = stack_options(), output_options(), request_options()
    _add_scanning(commands, where, request, output)
    _add_reading(commands, where, output)
    add_inventory_commands(commands, where, output)
    add_control_commands(commands, where, output)
    _add_running(commands, where, output)
    add_read_command(commands)
    add_check_commands(commands, request, output)
    add_cascade_commands(commands, where, output)
    add_schedule_commands(commands, where, output)
    add_severity_commands(commands, where, output)
    return top


def _add_scanning(
    commands: Commands,
    where: ArgumentParser,
    request: ArgumentParser,
    output: ArgumentParser,
) -> None:
    wait, policy = wait_options(), policy_options(FOR_THIS_SCAN)
    scan = commands.add_parser(
        "scan",
        parents=[where, policy, request, output, wait],
        formatter_class=RAW,
        help="scan targets and print the findings",
        usage="cascan scan TARGET... [options] [-- NMAP ARGS]",
        description="Scan targets, wait for the end, print the findings.\n\n"
        "TARGET is an address, a network, an nmap range (10.0.0-3.1-50) or a name.\n"
        "What stands behind -- goes to nmap, checked: cascan scan host -- -sV -p 443",
    )
    scan.add_argument("targets", nargs="+", metavar="TARGET")
    scan.set_defaults(run="scan")

    submit = commands.add_parser(
        "submit",
        parents=[where, policy, output, wait],
        help="submit a request from a file",
        usage="cascan submit -f FILE [options]\n       cascan submit --vuls FILE [SERVER...] [options]",
        description="Submit a scan request: the short form, or a secureCodeBox Scan manifest, "
        "as JSON or YAML; or one for each server of Vuls' configuration, one after the other. "
        "Waits and prints the findings, like scan.",
    )
    source = submit.add_mutually_exclusive_group(required=True)
    source.add_argument("-f", "--file", metavar="FILE", help="the request; - reads standard input")
    source.add_argument("--vuls", metavar="FILE", help="Vuls' config.toml")
    submit.add_argument("servers", nargs="*", metavar="SERVER", help="servers of Vuls' configuration; default: all")
    submit.set_defaults(run="submit")


def _add_reading(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    text = "list scans, newest first"
    scans = commands.add_parser("scans", parents=[where, output], help=text, description=sentence(text))
    scans.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: 20)")
    scans.set_defaults(run="scans")

    text = "print the findings of a scan"
    findings = commands.add_parser("findings", parents=[where, output], help=text, description=sentence(text))
    findings.add_argument("scan", metavar="SCAN", help=SCAN_HELP)
    findings.set_defaults(run="findings")

    text = "list or print what nmap wrote"
    report = commands.add_parser("report", parents=[where, output], help=text, description=sentence(text))
    report.add_argument("scan", metavar="SCAN", help=SCAN_HELP)
    report.add_argument(
        "--xml", action="store_true", help="print the XML, byte for byte; the reports of several shards merged into one"
    )
    report.add_argument("--shard", type=int, metavar="N", help="the report of this shard alone")
    report.add_argument("--out", type=Path, metavar="DIR", help="write every report of the scan into this folder")
    report.set_defaults(run="report")


def _add_running(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    text = "keep the stack on this machine running, or end it"
    more = "Where none is running, a command starts it and ends it."
    local = commands.add_parser("local", help=text, description=f"{sentence(text)} {more}")
    actions = local.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (
        ("up", "start the stack and leave it running"),
        ("down", "end it; what it holds is kept"),
        ("status", "say whether it runs, where, and what is deployed"),
    ):
        options = [local_options(), output]
        if name == "up":
            options.append(policy_options("until the next local up that names it"))
        action = actions.add_parser(name, parents=options, help=text, description=sentence(text))
        if name == "up":
            action.add_argument(
                "--default-policy", action="store_true", help="forget what earlier calls of local up allowed"
            )
    local.set_defaults(run="local", stack=None)

    rebuild = commands.add_parser(
        "rebuild",
        parents=[where, output],
        help="make a lost table again from the bucket",
        description="Make a lost table again from the records and reports in the bucket. Scans that are in the table "
        "stay as they are; those that were open go on; nothing that was over is announced again.",
    )
    rebuild.add_argument("--yes", action="store_true", help="do not ask")
    rebuild.set_defaults(run="rebuild")

    egress = commands.add_parser(
        "egress",
        parents=[output],
        help="print the stack's WorkerEgress for what may be scanned",
        description="Print the networks that workers of the stack's small VPC have to reach, for its parameter "
        "WorkerEgress. Sends nothing.",
    )
    egress.add_argument("allowed", nargs="+", metavar="ALLOWED", help="the stack's AllowedTargets")
    egress.add_argument("--deny", action="append", default=[], metavar="DENIED", help="the stack's DeniedTargets")
    egress.set_defaults(run="egress")
