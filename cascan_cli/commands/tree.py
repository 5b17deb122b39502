"""`cascan tree`: print the cascade of a scan, and what was refused or capped in it."""

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
        tree = _Cascade(stack).read(find_scan(stack.table, args.scan))
    if args.json:
        print_json(tree)
    else:
        for line in _render(tree):
            print(printable(line))
    return 0


class _Cascade:
    """Reads a cascade level by level, up to MAX_TREE_SCANS scans."""

    def __init__(self, stack: StackGateways) -> None:
        self.table, self.cascades = stack.table, stack.cascades
        self.remaining = MAX_TREE_SCANS

    def read(self, scan: Scan) -> dict[str, Any]:
        record = self.cascades.cascade(scan.scan_id)
        return {
            "id": scan.scan_id,
            "name": scan.name,
            "state": scan.state,
            "outcome": scan.outcome,
            "hop": scan.hop,
            "vantage": scan.vantage,
            "members": [self.read(member) for member in map(self.table.get_scan, scan.members) if member],
            "findings": scan.findings.count,
            "shards": scan.shards,
            "shardsOpen": scan.shards_open,
            "errorDescription": scan.error_description,
            "reasons": {"counts": scan.reasons.counts, "listed": scan.reasons.listed},
            "children": [self._child(child) for child in self.cascades.cascade_children(scan.scan_id)],
            "notFollowed": [_to_json(line) for line in record.lines] if record else [],
            "moreNotFollowed": record.more if record else 0,
        }

    def _child(self, child: StoredChild) -> dict[str, Any]:
        fields = {
            "rule": child.rule,
            "scanType": child.scan_type,
            "parameters": child.parameters,
            "targets": child.targets,
            "matchedFindings": child.count,
        }
        if not child.scan_id:
            return fields | {
                "id": "",
                "name": child.name,
                "state": "requested elsewhere" if child.sent else "to be requested elsewhere",
            }
        self.remaining -= 1
        if self.remaining == 0:
            print_message(f"the cascade has more than {MAX_TREE_SCANS} scans; name one of them to see more")
        scan = self.table.get_scan(child.scan_id) if self.remaining > 0 else None
        if scan is None:
            return fields | {
                "id": child.scan_id,
                "name": child.name,
                "state": "requested" if child.sent else "reserved",
            }
        return fields | self.read(scan)


def _to_json(line: CascadeLine) -> dict[str, Any]:
    return {
        "decision": line.kind,
        "rule": line.rule,
        "reason": line.reason,
        "cap": line.cap,
        "count": line.count,
    }


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
