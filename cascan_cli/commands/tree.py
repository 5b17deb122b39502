"""`cascan tree`: a scan's cascade, with states and counts, and what was refused or capped."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from cascan.limits import MAX_TREE_SCANS
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascan.model.cascade import CascadeLine, StoredChild
    from cascan.model.scan import Scan


def run(args: Namespace) -> int:
    with open_stack(args) as stack:
        grown = _Tree(stack).grow(find_scan(stack.table, args.scan))
    if args.json:
        print_json(grown)
    else:
        for line in _lines(grown):
            print(printable(line))
    return 0


class _Tree:
    """A cascade as data, read level by level; at most MAX_TREE_SCANS scans of it."""

    def __init__(self, stack: StackGateways) -> None:
        self.table, self.cascades = stack.table, stack.cascades
        self.left = MAX_TREE_SCANS

    def grow(self, scan: Scan) -> dict[str, Any]:
        record = self.cascades.cascade(scan.scan_id)
        return {
            "id": scan.scan_id,
            "name": scan.name,
            "state": scan.state,
            "outcome": scan.outcome,
            "hop": scan.hop,
            "findings": scan.findings.count,
            "shards": scan.shards,
            "shardsOpen": scan.shards_open,
            "errorDescription": scan.error_description,
            "reasons": {"counts": scan.reasons.counts, "listed": scan.reasons.listed},
            "children": [self._child(child) for child in self.cascades.cascade_children(scan.scan_id)],
            "notFollowed": [_told(line) for line in record.lines] if record else [],
            "moreNotFollowed": record.more if record else 0,
        }

    def _child(self, child: StoredChild) -> dict[str, Any]:
        about = {
            "rule": child.rule,
            "scanType": child.scan_type,
            "parameters": child.parameters,
            "targets": child.targets,
            "matchedFindings": child.count,
        }
        if not child.scan_id:
            return about | {
                "id": "",
                "name": child.name,
                "state": "requested elsewhere" if child.sent else "to be told",
            }
        self.left -= 1
        if self.left == 0:
            print_message(f"the cascade has more than {MAX_TREE_SCANS} scans; name one of them to see more")
        scan = self.table.get_scan(child.scan_id) if self.left > 0 else None
        if scan is None:
            return about | {"id": child.scan_id, "name": child.name, "state": "requested" if child.sent else "reserved"}
        return about | self.grow(scan)


def _told(line: CascadeLine) -> dict[str, Any]:
    return {"decision": line.kind, "rule": line.rule, "reason": line.reason, "cap": line.cap, "count": line.count}


def _lines(scan: dict[str, Any]) -> Iterator[str]:
    yield _described(scan)
    yield from _below(scan, "")


def _below(scan: dict[str, Any], indent: str) -> Iterator[str]:
    more = scan.get("moreNotFollowed")
    entries: list[tuple[str, dict[str, Any] | None]] = [
        *((f"{child['rule']}: {_described(child)}", child) for child in scan.get("children", ())),
        *((_refusal(line), None) for line in scan.get("notFollowed", ())),
        *([(f"and {more} more that were not followed", None)] if more else []),
    ]
    for number, (text, child) in enumerate(entries, start=1):
        is_last = number == len(entries)
        yield f"{indent}{'└─ ' if is_last else '├─ '}{text}"
        if child:
            yield from _below(child, indent + ("   " if is_last else "│  "))


def _described(scan: dict[str, Any]) -> str:
    what = f"{scan['name']} {scan['id']}".rstrip()
    asked = f" ({scan['scanType']} {' '.join(scan['parameters'])})" if "scanType" in scan else ""
    targets = f" {pluralize(scan['targets'], 'target')}" if scan.get("targets") else ""
    outcome = f", {scan['outcome']}" if scan.get("outcome") else ""
    found = f", {pluralize(scan['findings'], 'finding')}" if "findings" in scan else ""
    error = f": {scan['errorDescription']}" if scan.get("errorDescription") else ""
    return f"{what}{asked}{targets} {scan['state']}{outcome}{found}{error}"


def _refusal(line: dict[str, Any]) -> str:
    cap = f" ({line['cap']})" if line["cap"] else ""
    findings = f", {pluralize(line['count'], 'finding')}" if line["count"] else ""
    return f"{line['rule']}: {line['decision']}{cap}{findings}: {line['reason']}"
