"""Arguments of `cascan reparse`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP

if TYPE_CHECKING:
    from cascan_cli.parser import Commands


def add_reparse_command(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    reparse = commands.add_parser(
        "reparse",
        parents=[stack, output],
        usage="cascan reparse SCAN... [options]\n       cascan reparse --all | --since TIME [options]",
        help="make the findings of ended scans anew from their stored reports",
        description="Parse the stored reports of ended scans again, with the reader of this version and the severity "
        "rules in force: findings, their counts and the published results are made anew. Findings that this version "
        "does not make are removed. Inventory, changes and outcome stay, and no event is sent unless you ask for it. "
        "May be interrupted and repeated. Exit code 1: a report is gone or cannot be read; its findings stay.",
    )
    reparse.add_argument("scans", nargs="*", metavar="SCAN", help=SCAN_HELP)
    reparse.add_argument("--all", action="store_true", help="every scan that has ended and has reports")
    reparse.add_argument(
        "--since",
        metavar="TIME",
        help="of these, the scans that were requested since then: 2026-11-01 or 2026-11-01T08:00Z; UTC unless it says",
    )
    reparse.add_argument(
        "--events",
        action="store_true",
        help="send an event FindingsRecorded for each report; cascades do not follow it",
    )
    reparse.add_argument("--yes", action="store_true", help="do not ask for confirmation of --all or --since")
    reparse.set_defaults(run="reparse")
