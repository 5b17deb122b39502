"""`cascan rebuild`: rebuild a lost table from the bucket.

Scans that are still in the table are left unchanged.
"""

from __future__ import annotations

import sys
from argparse import Namespace

from cascan_cli.errors import BadInput
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.open import open_stack
from cascan_cli.stack.rebuild_table import (
    NOT_REBUILT,
    rebuild_table,
    restore_operator_records,
    summarize_rebuild,
)


def run(args: Namespace) -> int:
    """Exit code 0: every recorded scan is in the table.

    Raises: BadInput: the user did not confirm.
    """
    if not args.yes:
        _ask(args.stack or "the local stack")
    with open_stack(args) as stack:
        # First: the rules judge the findings, and a halt is in force.
        restored = restore_operator_records(stack, stack.operator_records)
        rebuilt = rebuild_table(stack.table, stack.reports)
        if stack.is_local:
            _remove_search_index(args)
    for sentence in filter(None, (restored, summarize_rebuild(rebuilt))):
        print_message(sentence)
    if rebuilt.open:
        print_message("unfinished scans are queued again within a minute")
    if rebuilt.scans:
        print_message(NOT_REBUILT)
    if args.json:
        print_json(rebuilt)
    return 0


def _remove_search_index(args: Namespace) -> None:
    """The next `cascan search` makes it again."""
    from cascan_cli.local.search_index import remove_index
    from cascan_cli.local.state import StateDir

    remove_index(StateDir(args.state_dir).search_index)


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput("cascan rebuild writes to the table, and unfinished scans go on: confirm with --yes")
    answer = input(f"Rebuild the table of {name} from its bucket? Unfinished scans go on. [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise BadInput("nothing was rebuilt")
