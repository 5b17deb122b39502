"""`cascan tree`: print the cascade of a scan, and what was refused or capped in it."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from cascan.limits import MAX_TREE_SCANS
from cascan.queries.cascade_tree import CascadeReader
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(args: Namespace) -> int:
    with open_stack(args) as stack:
        cascade = CascadeReader(stack.table, stack.cascades)
        tree = cascade.read(find_scan(stack.table, args.scan))
    if cascade.is_cut:
        print_message(f"the cascade has more than {MAX_TREE_SCANS} scans; name one of them to see more")
    if args.json:
        print_json(tree)
    else:
        for line in _render(tree):
            print(printable(line))
    return 0


def _render(scan: dict[str, Any]) -> Iterator[str]:
    yield _describe(scan)
    yield from _render_children(scan, "")


def _render_children(scan: dict[str, Any], indent: str) -> Iterator[str]:
    unlisted = scan.get("moreNotFollowed")
    entries: list[tuple[str, dict[str, Any] | None]] = [
        *((f"from {member['vantage']}: {_describe(member)}", member) for member in scan.get("members", ())),
        *((f"{child['rule']}: {_describe(child)}", child) for child in scan.get("children", ())),
        *((_describe_refusal(line), None) for line in scan.get("notFollowed", ())),
        *([(f"and {unlisted} more that were not followed", None)] if unlisted else []),
    ]
    for number, (text, child) in enumerate(entries, start=1):
        is_last = number == len(entries)
        yield f"{indent}{'└─ ' if is_last else '├─ '}{text}"
        if child:
            yield from _render_children(child, indent + ("   " if is_last else "│  "))


def _describe(scan: dict[str, Any]) -> str:
    title = f"{scan['name']} {scan['id']}".rstrip()
    request = f" ({scan['scanType']} {' '.join(scan['parameters'])})" if "scanType" in scan else ""
    targets = f" {pluralize(scan['targets'], 'target')}" if scan.get("targets") else ""
    outcome = f", {scan['outcome']}" if scan.get("outcome") else ""
    findings = f", {pluralize(scan['findings'], 'finding')}" if "findings" in scan else ""
    error = f": {scan['errorDescription']}" if scan.get("errorDescription") else ""
    return f"{title}{request}{targets} {scan['state']}{outcome}{findings}{error}"


def _describe_refusal(line: dict[str, Any]) -> str:
    cap = f" ({line['cap']})" if line["cap"] else ""
    findings = f", {pluralize(line['count'], 'finding')}" if line["count"] else ""
    return f"{line['rule']}: {line['decision']}{cap}{findings}: {line['reason']}"
