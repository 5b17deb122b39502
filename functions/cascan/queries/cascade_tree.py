"""The cascade of a scan, as JSON values: its members, its children and theirs, and what was not followed."""

from __future__ import annotations

from typing import Any

from cascan.gateways import CascadeTable, Scans
from cascan.limits import MAX_TREE_SCANS
from cascan.model.cascade import CascadeLine, StoredChild
from cascan.model.scan import Scan


class CascadeReader:
    """Reads a cascade level by level, up to a number of scans."""

    def __init__(self, table: Scans, cascades: CascadeTable, limit: int = MAX_TREE_SCANS) -> None:
        self.table, self.cascades = table, cascades
        self.remaining = limit
        self.is_cut = False  # there are more scans than the limit

    def read(self, scan: Scan) -> dict[str, Any]:
        """The scan as JSON values, with `members`, `children` and `notFollowed`."""
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
        self.is_cut = self.is_cut or self.remaining <= 0
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
