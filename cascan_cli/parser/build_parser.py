"""The argument parser of the `cascan` command, with the --help text of its main page."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cascan_cli.parser import shared_options
from cascan_cli.parser.sentence_parser import OneCommand, SentenceParser
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


class Family(NamedTuple):
    """Commands whose arguments one module has, in the order of `cascan --help`."""

    module: str
    function: str  # adds them, with the options that they share with other commands
    options: tuple[str, ...]  # of those: names for shared_options
    commands: tuple[str, ...]


STACK = ("stack", "output")
FAMILIES = (
    Family("scanning", "add_scanning_commands", (*STACK, "request"), ("scan", "submit")),
    Family("reading", "add_reading_commands", STACK, ("scans", "wait", "watch", "findings", "report")),
    Family("pages", "add_page_commands", STACK, ("show", "host", "explain")),
    Family("search", "add_search_command", STACK, ("search",)),
    Family("query", "add_query_command", STACK, ("query",)),
    Family("inventory", "add_inventory_commands", STACK, ("inventory", "diff")),
    Family("history", "add_history_commands", STACK, ("when", "at", "reach", "history")),
    Family("control", "add_control_commands", STACK, ("cancel", "suspend", "resume", "delete", "halt")),
    Family("running", "add_running_commands", STACK, ("local", "rebuild", "migrate", "egress")),
    Family("redrive", "add_redrive_commands", STACK, ("redrive",)),
    Family("reparse", "add_reparse_command", STACK, ("reparse",)),
    Family("doctor", "add_doctor_command", STACK, ("doctor",)),
    Family("read", "add_read_command", (), ("read",)),
    Family("check", "add_check_commands", ("request", "output"), ("check", "cost", "targets", "options")),
    Family("cascades", "add_cascade_commands", STACK, ("apply", "rules", "tree")),
    Family("schedule", "add_schedule_commands", STACK, ("schedule",)),
    Family("severity", "add_severity_commands", STACK, ("severity",)),
    Family("exposure", "add_exposure_commands", STACK, ("exposure", "why")),
    Family("messages", "add_messages_commands", STACK, ("messages",)),
    Family("vantage", "add_vantage_commands", STACK, ("vantage",)),
    Family("network", "add_network_commands", STACK, ("network",)),
    Family("vuls", "add_vuls_commands", STACK, ("vuls",)),
    Family("worker", "add_worker_command", ("stack",), ("worker",)),
    Family("top", "add_top_command", ("stack",), ("top",)),
    Family("ui", "add_ui_command", ("stack",), ("ui",)),
    Family("completion", "add_completion_command", (), ("completion",)),
)


def build_parser(command: str = "") -> SentenceParser:
    """The parser of all commands; or only of this one, if there is a command of this name."""
    top, commands = _build_top()
    for family in FAMILIES:
        if command in family.commands:
            _add_family(family, cast("Commands", OneCommand(commands, command)))
            return top
    for family in FAMILIES:
        _add_family(family, commands)
    return top


def _build_top() -> tuple[SentenceParser, Commands]:
    top = SentenceParser(prog="cascan", description=DESCRIPTION, epilog=EPILOG, formatter_class=RAW)
    top.add_argument("--version", action=PrintVersion, help="print the versions of cascan and nmap, and end")
    commands: Commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    return top, commands


def _add_family(family: Family, commands: Commands) -> None:
    add = getattr(import_module(f"cascan_cli.parser.{family.module}"), family.function)
    add(commands, *map(_build_options, family.options))


@cache
def _build_options(name: str) -> Any:
    """A parser of options that commands share. None of them changes it."""
    return getattr(shared_options, f"{name}_options")()
