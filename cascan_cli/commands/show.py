"""`cascan show SCAN`: one scan as a whole."""

from __future__ import annotations

from argparse import Namespace

from cascan.queries.scan_page import read_scan_page
from cascan_cli.output.scan import scan_exit_code
from cascan_cli.output.scan_page import print_scan_page, scan_page_to_json
from cascan_cli.output.text import print_json
from cascan_cli.stack.await_scan import await_scan
from cascan_cli.stack.open import open_stack


def run(args: Namespace) -> int:
    """Returns the exit code of the scan."""
    with open_stack(args) as stack:
        page = read_scan_page(await_scan(stack, args.scan), stack.table, stack.cascades)
    if args.json:
        print_json(scan_page_to_json(page))
    else:
        print_scan_page(page)
    return scan_exit_code(page.scan)
