"""What the operator decided, and the agenda, in the scan table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from cascan.aws.dynamodb.table import TablePart
from cascan.aws.dynamodb.wire import format_instant, read_item, readable_items
from cascan.aws.tables.items import (
    AGENDA,
    VANTAGES,
    agenda_key,
    network_identities_item,
    network_identities_key,
    read_agenda_entry,
    read_network_identities,
    read_severity_rules,
    read_switch,
    read_vantage,
    severity_rules_item,
    severity_rules_key,
    switch_item,
    switch_key,
    vantage_item,
    vantage_key,
)
from cascan.model.agenda import AgendaEntry, Switch
from cascan.model.identity import StoredNetworks
from cascan.model.vantage import Vantage
from cascan.rules.severity import StoredRules

PAST_ANY_SCAN = "/~"  # sorts after every scan id


class OperatorItems(TablePart):
    """The part of ScanTable for the agenda, the halt switch, severity rules, vantages and identities."""

    def add_to_agenda(self, entry: AgendaEntry) -> None:
        self._table.put(agenda_key(entry))

    def due(self, now: datetime, limit: int) -> Iterator[AgendaEntry]:
        latest_key = format_instant(now) + PAST_ANY_SCAN
        oldest_first = self._table.query(
            KeyConditionExpression="pk = :agenda AND sk <= :now",
            ExpressionAttributeValues={":agenda": {"S": AGENDA}, ":now": {"S": latest_key}},
            ConsistentRead=True,
            Limit=max(1, limit),
        )
        return islice(readable_items(oldest_first, read_agenda_entry), limit)

    def done(self, entry: AgendaEntry) -> None:
        self._table.delete(agenda_key(entry))

    def switch(self) -> Switch | None:
        item = self._table.get(switch_key())
        return read_item(item, read_switch) if item else None

    def halt(self, switch: Switch) -> None:
        self._table.put(switch_item(switch))

    def lift(self) -> None:
        self._table.delete(switch_key())

    def severity_rules(self) -> StoredRules | None:
        item = self._table.get(severity_rules_key())
        return read_item(item, read_severity_rules) if item else None

    def put_severity_rules(self, stored: StoredRules) -> bool:
        return self._table.put_version(severity_rules_item(stored), stored.version)

    def network_identities(self) -> StoredNetworks | None:
        item = self._table.get(network_identities_key())
        return read_item(item, read_network_identities) if item else None

    def put_network_identities(self, stored: StoredNetworks) -> bool:
        return self._table.put_version(network_identities_item(stored), stored.version)

    def vantages(self) -> Iterator[Vantage]:
        return readable_items(self._table.partition(VANTAGES), read_vantage)

    def get_vantage(self, name: str) -> Vantage | None:
        item = self._table.get(vantage_key(name))
        return read_item(item, read_vantage) if item else None

    def put_vantage(self, vantage: Vantage) -> None:
        self._table.put(vantage_item(vantage))
