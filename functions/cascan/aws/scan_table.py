"""DynamoScanTable: scans, shards, findings and the inventory in one DynamoDB table. items.py draws the items.

Every transition is one conditional write, so that of two deliveries one wins and the other is told False or None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from cascan.aws import inventory
from cascan.aws.boundary import chunks
from cascan.aws.dynamo import MAX_TRANSACTION, MAX_TRANSACTION_BYTES, DynamoTable, put_new, update
from cascan.aws.items import (
    SCANS,
    Item,
    body_of,
    bytes_of,
    finding_in,
    finding_item,
    findings_partitions,
    instant,
    port_in,
    scan_in,
    scan_item,
    scan_key,
    shard_in,
    shard_item,
    shard_key,
    spread_in,
    values_of,
)
from cascan.clock import Clock, utc_now
from cascan.ids import ReportKey
from cascan.model.finding import Finding
from cascan.model.inventory import PortRecord, Sighting
from cascan.model.scan import FINAL_STATES, Counts, Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, NmapRun, Shard, ShardClosing, ShardState

PARSED_STATES = (ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING)
MAX_KINDS = 80  # of severities and of categories counted for one shard: an update expression ends at 4 KB
OTHER_KINDS = "(other)"  # the rest of them, until finish_scan stores the exact counts
MAX_SPREADS = 1_000
LISTING_PAGE = 100  # scans; an item may hold a request of 256 KB


class DynamoScanTable:
    """ScanTable on DynamoDB. The table has the keys `pk` and `sk`, and the index `listing`."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)
        self._spreads: dict[str, int] = {}  # by scan id, of the scans read lately

    # ---- scans

    def create_scan(self, scan: Scan) -> bool:
        return self._table.put_new(scan_item(scan))

    def get_scan(self, scan_id: str) -> Scan | None:
        item = self._table.get(scan_key(scan_id))
        return self._scan_in(item) if item else None

    def list_scans(self, limit: int) -> Iterator[Scan]:
        newest_first = self._table.query(
            IndexName="listing",
            KeyConditionExpression="listing = :listing",
            ExpressionAttributeValues={":listing": {"S": SCANS}},
            ScanIndexForward=False,
            Limit=max(1, min(limit, LISTING_PAGE)),
        )
        return map(self._scan_in, islice(newest_first, limit))

    def advance_scan(self, scan_id: str, to: ScanState, *, frm: Iterable[ScanState]) -> bool:
        is_there, states = _state_in(frm)
        return self._change_scan(scan_id, "SET #state = :to", is_there, {":to": to} | states)

    def close_scan(self, scan_id: str, to: ScanState, outcome: Outcome, at: datetime, error: str = "") -> bool:
        is_over, states = _state_in((*FINAL_STATES, *PARSED_STATES))
        return self._change_scan(
            scan_id,
            "SET #state = :to, #outcome = :outcome, #finished_at = :at, #error_description = :error",
            f"#shards_open = :none AND NOT {is_over}",
            {":to": to, ":outcome": outcome, ":at": instant(at), ":error": error, ":none": 0} | states,
        )

    def mark_announced(self, scan_id: str) -> None:
        self._change_scan(scan_id, "SET #announced = :yes", "attribute_exists(pk)", {":yes": True})

    def finish_scan(self, scan_id: str, counts: Counts) -> bool:
        is_parsed, states = _state_in(PARSED_STATES)
        counted = {":count": counts.count, ":severities": counts.severities, ":categories": counts.categories}
        return self._change_scan(
            scan_id,
            "SET #state = :done, #findings = :count, #severities = :severities, #categories = :categories",
            is_parsed,
            {":done": ScanState.DONE} | counted | states,
        )

    def _change_scan(self, scan_id: str, change: str, when: str, values: Mapping[str, Any]) -> bool:
        return self._table.update(scan_key(scan_id), change, when=when, values=values_of(values)) is not None

    # ---- shards

    def add_shards(self, shards: Iterable[Shard]) -> None:
        items = map(shard_item, shards)
        for chunk in chunks(items, MAX_TRANSACTION, weigh=bytes_of, below=MAX_TRANSACTION_BYTES):
            if self._table.transact([put_new(self._table.name, item) for item in chunk]):
                for item in chunk:  # some are there already: one by one, those stay and the others are stored
                    self._table.put_new(item)

    def shards(self, scan_id: str) -> Iterator[Shard]:
        return map(shard_in, self._table.children(f"scan/{scan_id}", "shard/"))

    def get_shard(self, scan_id: str, number: int) -> Shard | None:
        item = self._table.get(shard_key(scan_id, number))
        return shard_in(item) if item else None

    def claim_shard(self, scan_id: str, number: int, attempt: int, worker: str) -> Shard | None:
        item = self._table.update(
            shard_key(scan_id, number),
            "SET #state = :running, #attempt = :attempt, #worker = :worker",
            when="#state = :queued OR (#state IN (:running, :reported) AND #attempt < :attempt)",
            values=values_of(
                {
                    ":queued": ShardState.QUEUED,
                    ":running": ShardState.RUNNING,
                    ":reported": ShardState.REPORTED,
                    ":attempt": attempt,
                    ":worker": worker,
                }
            ),
        )
        return shard_in(item) if item else None

    def report_shard(self, scan_id: str, number: int, attempt: int, run: NmapRun) -> bool:
        is_running, states = _state_in((ShardState.RUNNING, ShardState.REPORTED))  # reported: a repeat of this call
        values = values_of({":reported": ShardState.REPORTED, ":attempt": attempt} | states) | {":run": body_of(run)}
        change, when = "SET #state = :reported, #run = :run", f"#attempt = :attempt AND {is_running}"
        return self._table.update(shard_key(scan_id, number), change, when=when, values=values) is not None

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        ending = _ending(self._table.name, shard_key(scan_id, number), closing)
        return not self._table.transact([ending, _tally(self._table.name, scan_key(scan_id), closing)])

    # ---- findings and inventory

    def put_findings(self, scan_id: str, findings: Iterable[Finding], source: ReportKey | None = None) -> None:
        spread = self._spread(scan_id)
        self._table.put_all(finding_item(scan_id, finding, spread, source) for finding in findings)

    def findings(self, scan_id: str) -> Iterator[Finding]:
        for partition in findings_partitions(scan_id, self._spread(scan_id)):
            yield from map(finding_in, self._table.partition(partition))

    def _spread(self, scan_id: str) -> int:
        """Set when the scan is created and never changed: who has read the scan need not ask again."""
        if scan_id not in self._spreads:
            self.get_scan(scan_id)
        return self._spreads.get(scan_id, 0)

    def _scan_in(self, item: Item) -> Scan:
        scan = scan_in(item)
        if len(self._spreads) >= MAX_SPREADS:
            self._spreads.clear()
        self._spreads[scan.scan_id] = spread_in(item)
        return scan

    def record_sightings(self, sightings: Iterable[Sighting]) -> None:
        inventory.record(self._table, sightings)

    def ports(self, address: str) -> Iterator[PortRecord]:
        return map(port_in, self._table.children(f"address/{address}", "port/"))


def _state_in(states: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The condition that an item is in one of the states, and its values."""
    values = {f":state{number}": state for number, state in enumerate(states)}
    return f"#state IN ({', '.join(values)})", values


def _ending(table: str, key: Item, closing: ShardClosing) -> dict[str, Any]:
    is_open, states = _state_in(OPEN_STATES)
    change = "SET #state = :to, #outcome = :outcome, #error_description = :error"
    ended = {":to": closing.state, ":outcome": closing.outcome, ":error": closing.error_description}
    return update(table, key, change, when=is_open, values=values_of(ended | states))


def _tally(table: str, key: Item, closing: ShardClosing) -> dict[str, Any]:
    """The shard, counted in its scan: one open shard less, and what it found."""
    changes = ["#shards_open :closed", "#hosts_up :hosts_up", "#findings :findings", "#shard_outcomes.#outcome :one"]
    values = {":closed": -1, ":hosts_up": closing.hosts_up, ":findings": closing.findings, ":one": 1}
    names = {"#outcome": closing.outcome.value}
    for counted, kinds in (("severities", closing.severities), ("categories", closing.categories)):
        for number, (kind, count) in enumerate(_bounded(kinds).items()):
            short = f"{counted[0]}{number}"  # a category is any text, so it travels as a name's value
            changes.append(f"#{counted}.#{short} :{short}")
            names[f"#{short}"], values[f":{short}"] = kind, count
    change = f"ADD {', '.join(changes)}"
    return update(table, key, change, when="attribute_exists(pk)", values=values_of(values), names=names)


def _bounded(counts: Mapping[str, int]) -> dict[str, int]:
    """The commonest kinds that were counted at all; what lies beyond MAX_KINDS is counted as one."""
    commonest = (+Counter(counts)).most_common()
    rest = sum(count for _, count in commonest[MAX_KINDS:])
    return dict(commonest[:MAX_KINDS]) | ({OTHER_KINDS: rest} if rest else {})
