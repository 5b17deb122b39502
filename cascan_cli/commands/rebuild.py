"""`cascan rebuild`: make a lost table again from the bucket. A scan that is in the table stays as it is."""

from __future__ import annotations

import sys
from argparse import Namespace

from cascan_cli.errors import BadInput
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.open import open_stack
from cascan_cli.stack.rebuild_table import NOT_KEPT, rebuild_table, restore_operator_records, summarize_rebuild


def run(args: Namespace) -> int:
    """Exit code 0: every scan that has records is in the table. Raises: BadInput: nobody agreed."""
    if not args.yes:
        _ask(args.stack or "the local stack")
    with open_stack(args) as stack:
        # First: the rules judge the findings, and a halt is in force.
        restored = restore_operator_records(stack, stack.operator_records)
        rebuilt = rebuild_table(stack.table, stack.reports)
    for sentence in filter(None, (restored, summarize_rebuild(rebuilt))):
        print_message(sentence)
    if rebuilt.open:
        print_message("those that go on are asked again within a minute")
    if rebuilt.scans:
        print_message(NOT_KEPT)
    if args.json:
        print_json(rebuilt)
    return 0


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput("cascan rebuild writes to the table, and scans that were open go on: say --yes")
    answer = input(f"Rebuild the table of {name} from its bucket? Scans that were open go on. [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise BadInput("nothing was rebuilt")
