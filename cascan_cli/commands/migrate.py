"""`cascan migrate`: move what earlier versions stored to the present layout of the table.

It may be interrupted and repeated, and the stack goes on meanwhile.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.model.migration import MigrationResult

EXIT_AGAIN = 1  # some scans are not ended: repeat it later


def run(args: Namespace) -> int:
    """Exit code 0: everything has the present layout. 1: some scans keep theirs until they have ended."""
    with open_stack(args) as stack, Progress() as progress:
        result = stack.table.migrate(lambda so_far: progress.show(f"migrating: {describe(so_far)}"))
    print_message(f"migrated: {describe(result)}")
    if result.unreadable:
        print_message(f"{pluralize(result.unreadable, 'finding')} could not be read, and stayed unreadable")
    if result.open:
        scans = pluralize(result.open, "scan")
        print_message(f"{scans} ended less than an hour ago, or not yet: run cascan migrate again an hour after")
    if args.json:
        print_json(result)
    return EXIT_AGAIN if result.open else 0


def describe(result: MigrationResult) -> str:
    """What was moved, in a few words."""
    hosts, networks = pluralize(result.hosts, "host"), pluralize(result.networks, "network")
    findings, scans = pluralize(result.findings, "finding"), pluralize(result.scans, "scan")
    return f"{hosts} in {networks}, {findings} of {scans}"
