"""Arguments of the commands that read scans and their results: scans, wait, watch, findings, report."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP, add_command
from cascan_cli.parser.shared_options import (
    add_as_targets,
    add_end_options,
    add_export_options,
    add_finding_selection,
    add_listing_options,
    add_paging,
    add_scan_selection,
)

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

SCANS = """\
List scans, newest first.

  cascan scans                          the latest 20
  cascan scans --state Errored --since 7d
  cascan scans --target 10.0.0.5        also scans of networks that hold it
  cascan scans --label site=berlin --json

REMARK says why a scan failed or is incomplete, or how many of its shards wait:
for a slot, for a window and its time, for the end of a halt, or, if the state
is Suspended, for cascan resume. docs/controlling.md explains each case."""
FINDINGS = """\
Print the findings of a scan.

  cascan findings latest                       of the newest scan
  cascan findings office-lan --severity high   of a series, only these
  cascan findings latest --new                 not in the scan before
  cascan findings latest --as csv -o lan.csv   for another tool
  cascan findings --now --port 22              of all scans, as of now

With --now, print the current state of the whole inventory instead: for each
open port, the findings of the newest scan that covered it, whichever series it
belongs to."""
REPORT = """\
Make an HTML report of a scan, or list its XML.

  cascan report latest --as html -o report.html      everything, in one file
  cascan report --series lan --as html -o lan.html   of the newest ended scan
  cascan report latest                               list the XML reports
  cascan report latest --xml                         what nmap wrote

The HTML file shows everything that is known of the scan: what changed since
the last scan, findings with evidence, exposures, coverage. It loads nothing
from any network. Passwords that scripts found are left out. Another format has
the findings, as `cascan findings` writes them."""


def add_reading_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    parents = [stack, output]
    for add in (_add_scans, _add_wait, _add_watch, _add_findings, _add_report):
        add(commands, parents)


def _add_scans(commands: Commands, parents: list[ArgumentParser]) -> None:
    scans = commands.add_parser(
        "scans",
        parents=parents,
        formatter_class=RawDescriptionHelpFormatter,
        help="list scans, newest first",
        description=SCANS,
    )
    add_scan_selection(scans)
    add_paging(scans, 20, "scans")
    add_listing_options(scans)
    scans.set_defaults(run="scans")


def _add_wait(commands: Commands, parents: list[ArgumentParser]) -> None:
    wait = add_command(commands, "wait", parents, "wait for the end of a scan")
    wait.epilog = "For a scan that was sent with --no-wait, by a schedule or by someone else. Prints its outcome."
    wait.add_argument("scan", metavar="SCAN", help=SCAN_HELP)
    add_end_options(wait)
    wait.set_defaults(run="wait")


def _add_watch(commands: Commands, parents: list[ArgumentParser]) -> None:
    watch = add_command(commands, "watch", parents, "show the progress of running scans until they end")
    watch.epilog = (
        "In a terminal one line with percent, time, hosts and findings, and new findings above it; elsewhere a line "
        "every 30 seconds. With SCAN, the exit code is that of the scan. After Ctrl-C it says what becomes of "
        "the scans."
    )
    watch.add_argument("scan", nargs="?", metavar="SCAN", help=f"{SCAN_HELP}; default: every scan that runs")
    watch.set_defaults(run="watch")


def _add_findings(commands: Commands, parents: list[ArgumentParser]) -> None:
    findings = commands.add_parser(
        "findings",
        parents=parents,
        formatter_class=RawDescriptionHelpFormatter,
        help="print the findings of a scan",
        description=FINDINGS,
    )
    findings.add_argument("scan", nargs="?", metavar="SCAN", help=SCAN_HELP)
    findings.add_argument("--now", action="store_true", help="the current findings, over all scans")
    findings.add_argument(
        "--series",
        default="",
        metavar="NAME",
        help="with --as: what the series knows to be there; what its newest scan did not look at stays",
    )
    findings.add_argument(
        "--changes",
        action="store_true",
        help="with --as: only what changed since the last scans that covered the same, and what is gone",
    )
    add_as_targets(findings)
    add_finding_selection(findings)
    add_paging(findings, None, "findings")
    add_export_options(findings, others=("xml", "parquet"))
    findings.set_defaults(run="findings")


def _add_report(commands: Commands, parents: list[ArgumentParser]) -> None:
    report = commands.add_parser(
        "report",
        parents=parents,
        formatter_class=RawDescriptionHelpFormatter,
        help="make an HTML report of a scan, or list its XML",
        description=REPORT,
    )
    report.add_argument("scan", nargs="?", metavar="SCAN", help=SCAN_HELP)
    report.add_argument("--series", metavar="NAME", help="the newest scan of this series that has ended")
    report.add_argument(
        "--xml",
        action="store_true",
        help="print the XML as nmap wrote it; reports of several shards are merged into one",
    )
    report.add_argument("--shard", type=int, metavar="N", help="only the report of this shard")
    report.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write all reports of the scan to this folder",
    )
    add_export_options(report, others=("html", "xml"))
    report.set_defaults(run="report", now=False, changes=False)
