"""The audit list in the scan table.

what   pk              sk              attributes
─────  ──────────────  ──────────────  ────────────────
entry  audit/<month>   <instant>/<id>  body, expires_at

A partition for each month (`2026-11`), so that the newest entries are read without the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from cascan.aws.dynamodb.table import TablePart
from cascan.aws.dynamodb.wire import Item, build_key, encode_body, format_instant, readable_items, unpack_text
from cascan.limits import AUDIT_DAYS
from cascan.model.audit import AuditEntry

MONTHS = AUDIT_DAYS // 28 + 1  # in which unexpired entries may be
PAST_ANY_ENTRY = "/~"


class AuditItems(TablePart):
    """The part of ScanTable for the audit list."""

    def put_audit_entry(self, entry: AuditEntry) -> None:
        expires_at = int((entry.at + timedelta(days=AUDIT_DAYS)).timestamp())
        key = build_key(f"audit/{_format_month(entry.at)}", f"{format_instant(entry.at)}/{entry.entry_id}")
        self._table.put(key | {"body": encode_body(entry), "expires_at": {"N": str(expires_at)}})

    def audit_entries(self, until: datetime) -> Iterator[AuditEntry]:
        month = until
        for _ in range(MONTHS):
            newest_first = self._table.query(
                KeyConditionExpression="pk = :pk AND sk <= :until",
                ExpressionAttributeValues={
                    ":pk": {"S": f"audit/{_format_month(month)}"},
                    ":until": {"S": format_instant(until) + PAST_ANY_ENTRY},
                },
                ConsistentRead=True,
                ScanIndexForward=False,
            )
            yield from readable_items(newest_first, read_audit_entry)
            month = month.astimezone(UTC).replace(day=1) - timedelta(days=1)


def _format_month(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"


def read_audit_entry(item: Item) -> AuditEntry:
    return msgspec.json.decode(unpack_text(item["body"]), type=AuditEntry)
