"""`cascan history delete`: remove what is known of the past of addresses."""

from __future__ import annotations

from argparse import Namespace

from cascan_cli.commands.when import choose_vantages
from cascan_cli.input.inventory_query import parse_query
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.stack.open import open_stack


def run(args: Namespace) -> int:
    query = parse_query(args.addresses, [], "")
    with open_stack(args) as stack:
        table, changed = stack.table, 0
        for vantage in choose_vantages(args, stack):
            for family, low, high in query.networks:
                changed += table.remove_history(family, low, high, vantage=vantage)
    if args.json:
        print_json({"items": changed})
    elif changed:
        print_message(f"removed from {pluralize(changed, 'stored item')}; inventory, scans and reports stay")
    else:
        print_message("the history has nothing of these addresses")
    return 0
