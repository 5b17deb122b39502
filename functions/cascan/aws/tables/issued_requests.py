"""DynamoIssuedRequests: the requests that cascan itself sends, in the scan table.

what       pk                  sk         attributes
─────────  ──────────────────  ─────────  ──────────────────────────────
issued     issued/<scan id>    request    digest (of the body), expires_at

The items outlive the scan or the schedule that caused them. Either may be removed while the request
is in its queue.
"""

from __future__ import annotations

from datetime import timedelta

from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import Item, build_key, to_values
from cascan.clock import Clock, utc_now
from cascan.ids import digest_body
from cascan.limits import ISSUED_DAYS


class DynamoIssuedRequests:
    """IssuedRequests on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)
        self._clock = clock

    def issue(self, scan_id: str, body: str) -> None:
        self._table.put_new(issued_item(scan_id, body, self._clock))

    def was_issued(self, scan_id: str, digest: str) -> bool:
        item = self._table.get(_key(scan_id))
        return item is not None and item.get("digest") == {"S": digest}


def issued_item(scan_id: str, body: str, clock: Clock) -> Item:
    """The item that records a request. The transaction that stores a child scan writes it too."""
    expires_at = int((clock() + timedelta(days=ISSUED_DAYS)).timestamp())
    return _key(scan_id) | to_values({"digest": digest_body(body), "expires_at": expires_at})


def _key(scan_id: str) -> Item:
    return build_key(f"issued/{scan_id}", "request")
