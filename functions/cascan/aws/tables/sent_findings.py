"""DynamoSentFindings: what AWS Security Hub has, in the scan table.

what          pk                              sk                       attributes
────────────  ──────────────────────────────  ───────────────────────  ─────────────────────────────
sent finding  hub/<vantage>/<network>         <address>/<fingerprint>  body, version; of an archived
                                                                       one expires_at

The network is the /24 or /120 of the address; both are written in hex. So one query reads what was
sent of a network. `version` is the finding's revision.

The items belong to no scan. Only on_hub_import_due writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

import msgspec

from cascan.aws.dynamodb.pipeline import Write
from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import Item, add_body, build_key, readable_items, to_values, unpack_text
from cascan.aws.tables.inventory_items import to_hex
from cascan.clock import Clock, utc_now
from cascan.limits import ARCHIVED_DAYS
from cascan.model.sent_finding import SentFinding
from cascan.nmap.addresses import parse_address

NETWORK_DIGITS = 2  # hex digits that tell the addresses of a network apart


class DynamoSentFindings:
    """SentFindings on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)

    def sent_findings(self, addresses: Collection[str], *, vantage: str) -> list[SentFinding]:
        if not addresses:
            return []
        places = sorted(map(_to_place, addresses))
        partition = f"hub/{vantage}/{places[0][:-NETWORK_DIGITS]}"
        items = self._table.between(partition, places[0], f"{places[-1]}/~")
        return [sent for sent in readable_items(items, _read_sent) if sent.address in addresses]

    def put_sent_findings(self, findings: Iterable[SentFinding]) -> bool:
        return all(self._table.write_each(map(self._build_write, findings)))

    def _build_write(self, sent: SentFinding) -> Write:
        """Its condition: the preceding revision is stored; of the first, none or an expired one is."""
        condition, values = "version = :before", {":before": {"N": str(sent.revision - 1)}}
        if sent.revision <= 1:
            now = str(int(self._table.clock().timestamp()))
            condition, values = "attribute_not_exists(pk) OR expires_at <= :now", {":now": {"N": now}}
        request = {
            "TableName": self._table.name,
            "Item": self._build_item(sent),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }
        return Write("PutItem", request)

    def _build_item(self, sent: SentFinding) -> Item:
        place = _to_place(sent.address)
        key = build_key(f"hub/{sent.vantage}/{place[:-NETWORK_DIGITS]}", f"{place}/{sent.fingerprint}")
        attributes = {"version": sent.revision}
        if not sent.is_active:
            expires_at = self._table.clock() + timedelta(days=ARCHIVED_DAYS)
            attributes["expires_at"] = int(expires_at.timestamp())
        return add_body(key | to_values(attributes), msgspec.json.encode(sent))


def _to_place(address: str) -> str:
    parsed = parse_address(address)
    return to_hex(int(parsed), parsed.version)


def _read_sent(item: Item) -> SentFinding:
    return msgspec.json.decode(unpack_text(item["body"]), type=SentFinding)
