"""The audit list in the scan table.

what   pk     sk              attributes
─────  ─────  ──────────────  ────────────────
entry  audit  <instant>/<id>  body, expires_at

One partition is enough: people write it, a few entries an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from cascan.aws.dynamodb.table import TablePart
from cascan.aws.dynamodb.wire import Item, build_key, encode_body, format_instant, readable_items, unpack_text
from cascan.limits import AUDIT_DAYS
from cascan.model.audit import AuditEntry

AUDIT = "audit"
PAGE = 100  # entries
PAST_ANY_ENTRY = "/~"


class AuditItems(TablePart):
    """The part of ScanTable for the audit list."""

    def put_audit_entry(self, entry: AuditEntry) -> None:
        expires_at = int((entry.at + timedelta(days=AUDIT_DAYS)).timestamp())
        key = build_key(AUDIT, f"{format_instant(entry.at)}/{entry.entry_id}")
        self._table.put(key | {"body": encode_body(entry), "expires_at": {"N": str(expires_at)}})

    def audit_entries(self, until: datetime) -> Iterator[AuditEntry]:
        newest_first = self._table.query(
            KeyConditionExpression="pk = :audit AND sk <= :until",
            ExpressionAttributeValues={
                ":audit": {"S": AUDIT},
                ":until": {"S": format_instant(until) + PAST_ANY_ENTRY},
            },
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=PAGE,
        )
        return readable_items(newest_first, read_audit_entry)


def read_audit_entry(item: Item) -> AuditEntry:
    return msgspec.json.decode(unpack_text(item["body"]), type=AuditEntry)
