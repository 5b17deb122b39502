"""The `cascan` command: arguments in, an exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.errors import EXIT_FAILED, CliError
from cli.explaining import add_explaining
from cli.show import say

DESCRIPTION = """\
Scan networks with nmap through a pipeline of events: on this machine, or on a stack in AWS.

  cascan scan 127.0.0.1                       scan, wait, and print the findings
  cascan scan 10.0.0.0/24 -- -sV -p 22,443    with options of nmap
  cascan submit -f scan.yaml                  a request or a secureCodeBox Scan manifest from a file
  cascan scans                                what was scanned
  cascan findings latest --json               the findings of a scan
  cascan report latest --xml                  what nmap wrote
  cascan local up                             keep the stack on this machine running
  cascan check 10.0.0.0/24 -- -sV             what would become of a scan, without scanning
  cascan targets 10.0.0-3.1,5/30              the addresses behind target expressions
  cascan options -oN                          what is decided about an option of nmap, and why"""

EPILOG = """\
exit codes: 0 done; 1 partial: a part of the answer is missing, or nothing answered;
            2 refused or bad input; 3 failed

Scan only what you have permission to scan."""
TAKE_NMAP_OPTIONS = ("scan", "check", "options")


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="cascan", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    top.add_argument("--version", action="version", version="cascan 0.1.0")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--stack", metavar="NAME", help="a deployed CloudFormation stack; default: the one on this machine"
    )
    where.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="what the local stack keeps; default: the XDG state folder"
    )
    where.add_argument(
        "--allow",
        action="append",
        metavar="TARGET",
        help="network or domain that the local stack may scan, beside loopback and private networks",
    )
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("--json", action="store_true", help="print JSON")
    wait = argparse.ArgumentParser(add_help=False)
    wait.add_argument(
        "--no-wait", action="store_true", help="print the scan's id and go; the scan runs while the stack is up"
    )
    wait.add_argument(
        "--timeout", type=float, default=43_200, metavar="SECONDS", help="how long to wait (default: 12 hours)"
    )

    request = argparse.ArgumentParser(add_help=False)
    request.add_argument("--name", default="", help="the series this scan belongs to; default: from the first target")
    request.add_argument(
        "--exclude", action="append", default=[], metavar="TARGET", help="leave this out; may be repeated"
    )
    request.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="label the scan; may be repeated"
    )
    request.add_argument(
        "--type",
        choices=["nmap", "nmap-privileged"],
        help="nmap-privileged has raw sockets; default: what the options need",
    )

    scan = commands.add_parser(
        "scan",
        parents=[where, request, output, wait],
        formatter_class=raw,
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
        parents=[where, output, wait],
        help="submit a request from a file",
        description="Submit a scan request: the short form, or a secureCodeBox Scan manifest, "
        "as JSON or YAML. Waits and prints the findings, like scan.",
    )
    submit.add_argument("-f", "--file", required=True, metavar="FILE", help="the request; - reads standard input")
    submit.set_defaults(run="submit")

    scans = commands.add_parser("scans", parents=[where, output], help="list scans, newest first")
    scans.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: 20)")
    scans.set_defaults(run="scans")

    findings = commands.add_parser("findings", parents=[where, output], help="print the findings of a scan")
    findings.add_argument("scan", metavar="SCAN", help="a scan's id, the beginning of one, a series name, or `latest`")
    findings.set_defaults(run="findings")

    report = commands.add_parser("report", parents=[where, output], help="list or print what nmap wrote")
    report.add_argument("scan", metavar="SCAN", help="a scan's id, the beginning of one, a series name, or `latest`")
    report.add_argument("--xml", action="store_true", help="print the XML, byte for byte")
    report.add_argument("--shard", type=int, metavar="N", help="the shard's report, where the scan has several")
    report.add_argument("--out", type=Path, metavar="DIR", help="write every report of the scan into this folder")
    report.set_defaults(run="report")

    egress = commands.add_parser(
        "egress",
        parents=[output],
        help="print the stack's WorkerEgress for what may be scanned",
        description="Print the networks that workers of the stack's small VPC have to reach, for its parameter\n"
        "WorkerEgress. Sends nothing.",
    )
    egress.add_argument("allowed", nargs="+", metavar="ALLOWED", help="the stack's AllowedTargets")
    egress.add_argument("--deny", action="append", default=[], metavar="DENIED", help="the stack's DeniedTargets")
    egress.set_defaults(run="egress")

    local = commands.add_parser("local", help="keep the stack on this machine running, or end it")
    actions = local.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (
        ("up", "start the stack and leave it running"),
        ("down", "end it; what it holds is kept"),
        ("status", "say whether it runs, where, and what is deployed"),
    ):
        actions.add_parser(name, parents=[where, output], help=text)
    local.set_defaults(run="local")

    add_explaining(commands, request, output)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    own, for_nmap = split_words(words)  # argparse would take options of nmap for its own
    args = parser().parse_args(own)
    args.nmap_arguments = for_nmap
    if for_nmap and args.run not in TAKE_NMAP_OPTIONS:
        say(f"only {', '.join(TAKE_NMAP_OPTIONS)} take options of nmap behind --")
        return 2
    try:
        return _run(args)
    except CliError as exc:
        say(str(exc))
        return exc.exit_code
    except KeyboardInterrupt:
        say("interrupted; a scan that was accepted goes on when the stack is next up")
        return 130
    except BrokenPipeError:  # the reader went away: head, less
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left unwritten goes nowhere, quietly
        return EXIT_FAILED


def split_words(words: list[str]) -> tuple[list[str], list[str]]:
    """Words for this command, and words for nmap: those behind --, and whatever `options` is asked about."""
    cut = words.index("--") if "--" in words else len(words)
    own, for_nmap = words[:cut], words[cut + 1 :]
    if own[:1] == ["options"]:
        asked = [word for word in own[1:] if word not in ("-h", "--help", "--json")]
        return [word for word in own if word not in asked], asked + for_nmap
    return own, for_nmap


def _run(args: argparse.Namespace) -> int:
    from importlib import import_module  # noqa: PLC0415 - each command imports what it alone needs

    from cascan.errors import GatewayUnavailable  # noqa: PLC0415

    try:
        return int(import_module(f"cli.commands.{args.run}").run(args))
    except GatewayUnavailable as exc:
        raise CliError(f"the stack does not answer: {exc}") from exc


if __name__ == "__main__":
    sys.exit(main())
