"""DynamoScanTable: scans, shards, findings and the inventory in one DynamoDB table.

items.py describes the items. Every transition is one conditional write: of two deliveries one wins,
and the other gets False or None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import Any

from cascan.aws.dynamodb.table import DynamoTable, update
from cascan.aws.dynamodb.wire import (
    Item,
    Value,
    encode_body,
    format_instant,
    read_item,
    readable_items,
    to_values,
)
from cascan.aws.tables.audit_items import AuditItems
from cascan.aws.tables.exposures import ExposureItems
from cascan.aws.tables.finding_items import FindingItems
from cascan.aws.tables.history import HistoryItems
from cascan.aws.tables.inventory import InventoryItems
from cascan.aws.tables.inventory_items import changes_partition
from cascan.aws.tables.items import (
    BRIEF_ATTRIBUTES,
    EARLIER_SHARDS,
    SCANS,
    listed_at,
    read_brief,
    read_scan,
    read_shard_number,
    scan_item,
    scan_key,
    shards_partition,
    switch_key,
)
from cascan.aws.tables.operator_items import OperatorItems
from cascan.aws.tables.recording_items import RecordingItems
from cascan.aws.tables.saved_filter_items import SavedFilterItems
from cascan.aws.tables.shard_actions import COUNTER, count_closed_action, state_condition
from cascan.aws.tables.shard_items import ShardItems
from cascan.clock import Clock, utc_now
from cascan.gateways import ScanPlace
from cascan.model.migration import MigrationResult, TellMigration
from cascan.model.reason import Reasons
from cascan.model.scan import FINAL_STATES, NO_REASONS, Counts, Outcome, Scan, ScanBrief, ScanState, Suspension
from cascan.model.shard import ShardClosing, ShardState
from cascan.model.usage import ScanCost

PARSED_STATES = (ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING)
NO_ATTEMPT: Value = {"N": "0"}  # the `attempt` of a shard that was never claimed
SET_COUNTS = "SET #findings = :count, #severities = :severities, #categories = :categories"
LISTING_PAGE = 100  # scans; an item may hold a request of 256 KB


class DynamoScanTable(
    ShardItems,
    FindingItems,
    OperatorItems,
    InventoryItems,
    HistoryItems,
    ExposureItems,
    RecordingItems,
    AuditItems,
    SavedFilterItems,
):
    """ScanTable on DynamoDB. The table has the keys `pk` and `sk`, and the index `listing`."""

    def __init__(self, table_name: str, clock: Clock = utc_now, *, history_days: int = 0) -> None:
        """`history_days`: how long new changes and looks are kept; 0: no period of their own."""
        super().__init__(DynamoTable(table_name, clock))
        self.history_days = history_days

    def migrate(self, tell: TellMigration) -> MigrationResult:
        # Imported here: only a command migrates, and needs a database for it
        from cascan.aws.tables.migration import LayoutMigration  # noqa: PLC0415

        return LayoutMigration(self._table, tell).run()

    # ---- scans

    def create_scan(self, scan: Scan) -> bool:
        return self._table.put_new(scan_item(scan))

    def get_scan(self, scan_id: str) -> Scan | None:
        item = self._table.get(scan_key(scan_id))
        return read_item(item, self._read_scan) if item else None

    def scan_brief(self, scan_id: str) -> ScanBrief | None:
        item = self._table.get(scan_key(scan_id), *BRIEF_ATTRIBUTES)
        is_halted = self._table.get(switch_key(), "pk") is not None
        return read_item(item, partial(read_brief, halted=is_halted)) if item else None

    def list_scans(self, limit: int, *, after: ScanPlace | None = None) -> Iterator[Scan]:
        condition, values = "listing = :listing", {":listing": {"S": SCANS}}
        if after:
            condition, values = f"{condition} AND listed_at < :after", values | {":after": {"S": listed_at(*after)}}
        newest_first = self._table.query(
            IndexName="listing",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=max(1, min(limit, LISTING_PAGE)),
        )
        return islice(readable_items(newest_first, self._read_scan), limit)

    def advance_scan(
        self,
        scan_id: str,
        to: ScanState,
        *,
        expected: Iterable[ScanState],
        why: str = "",
        suspension: Suspension | None = None,
    ) -> bool:
        in_state, states = state_condition(expected)
        change, values = "SET #state = :to", {":to": to.value} | states
        if why:
            change, values = f"{change}, #error_description = :why", values | {":why": why}
        bodies: dict[str, Value] = {}
        if suspension:
            change, bodies = f"{change}, #suspension = :by", {":by": encode_body(suspension)}
        return self._change_scan(scan_id, change, in_state, values, bodies)

    def close_scan(
        self,
        scan_id: str,
        to: ScanState,
        outcome: Outcome,
        at: datetime,
        error: str = "",
        *,
        reasons: Reasons = NO_REASONS,
        cost: ScanCost | None = None,
    ) -> bool:
        is_over, states = state_condition((*FINAL_STATES, *PARSED_STATES))
        may_end = f"NOT {is_over}"
        if to is ScanState.CANCELLED:  # a cancelled scan has its state before its outcome
            may_end = f"({may_end} OR (#state = :to AND attribute_not_exists(#outcome)))"
        values = {
            ":to": to,
            ":outcome": outcome,
            ":at": format_instant(at),
            ":error": error,
            ":none": 0,
        }
        change = (
            "SET #state = :to, #outcome = :outcome, #finished_at = :at, "
            "#error_description = :error, #reasons = :reasons"
        )
        bodies = {":reasons": encode_body(reasons)}
        if cost:
            change, bodies[":cost"] = f"{change}, #cost = :cost", encode_body(cost)
        may_close = f"#shards_open = :none AND {may_end}"
        return self._change_scan(scan_id, change, may_close, values | states, bodies)

    def count_member(self, member: Scan, closing: ShardClosing) -> bool:
        key = scan_key(member.scan_id)
        counted_once = "attribute_exists(pk) AND attribute_not_exists(#counted)"
        mark = update(self._table.name, key, "SET #counted = :yes", when=counted_once, values=to_values({":yes": True}))
        was = {COUNTER[ShardState.QUEUED]: 1}
        count = count_closed_action(self._table.name, scan_key(member.member_of), closing, was=was)
        return not self._table.transact([mark, count])

    def mark_announced(self, scan_id: str, *, announced: bool = True) -> None:
        self._change_scan(
            scan_id,
            "SET #announced = :announced",
            "attribute_exists(pk)",
            {":announced": announced},
        )

    def finish_scan(self, scan_id: str, counts: Counts) -> bool:
        is_parsed, states = state_condition(PARSED_STATES)
        values = _count_values(counts) | states | {":done": ScanState.DONE}
        return self._change_scan(scan_id, f"{SET_COUNTS}, #state = :done", is_parsed, values)

    def recount_findings(self, scan_id: str, counts: Counts) -> bool:
        has_ended, states = state_condition(FINAL_STATES)
        values = _count_values(counts) | states | {":one": 1}
        return self._change_scan(scan_id, f"{SET_COUNTS} ADD #findings_revision :one", has_ended, values)

    def remove_scan(self, scan_id: str, most: int) -> bool:
        scan = scan_key(scan_id)
        keys = chain(
            self._keys_of_findings(scan_id),
            self._keys_of_shards(scan_id),
            self._keys_beside(scan_id),
        )
        self._table.delete_all(islice(keys, most))
        if next(keys, None):
            return False
        self._table.delete(scan)
        return True

    def _keys_of_shards(self, scan_id: str) -> Iterator[Item]:
        """For each shard the keys of its changes, then its own key.

        In this order, the next turn does not look again for changes that one turn has removed. A
        shard that was never claimed has no changes, so their partition is not read.
        """
        earlier = self._table.children(f"scan/{scan_id}", EARLIER_SHARDS)
        for item in chain(earlier, self._table.partition(shards_partition(scan_id))):
            with suppress(ValueError):  # not the key of a shard
                number = read_shard_number(item)
                if item.get("attempt") != NO_ATTEMPT:
                    yield from self._table.keys(changes_partition(scan_id, number))
            yield {name: item[name] for name in ("pk", "sk")}

    def _keys_beside(self, scan_id: str) -> Iterator[Item]:
        """The keys of the scan's partition, without those of the scan itself and its shards."""
        scan = scan_key(scan_id)
        keys = self._table.keys(scan["pk"]["S"])
        return (key for key in keys if key != scan and not key["sk"]["S"].startswith(EARLIER_SHARDS))

    def _change_scan(
        self,
        scan_id: str,
        change: str,
        when: str,
        values: Mapping[str, Any],
        bodies: Mapping[str, Value] | None = None,
    ) -> bool:
        """Change the scan. False: `when` did not hold. `bodies`: values that are in wire form."""
        wire = to_values(values) | dict(bodies or {})
        return self._table.update(scan_key(scan_id), change, when=when, values=wire) is not None

    def _read_scan(self, item: Item) -> Scan:
        scan = read_scan(item)
        self._remember_layout(scan.scan_id, item)
        return scan


def _count_values(counts: Counts) -> dict[str, Any]:
    return {
        ":count": counts.count,
        ":severities": counts.severities,
        ":categories": counts.categories,
    }
