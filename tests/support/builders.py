"""Scans and shards for tests: plain ones, of which a test names only what it is about."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from cascan.events import ShardQueued
from cascan.gateways import ScanTable
from cascan.ids import PROOF, ReportKey, derive_report_proof, derive_scan_id, derive_shard_token
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Lane, NmapRun, Shard, TargetSlice
from tests.fakes import MemoryEventBus, MemoryScanTable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCAN_ID = derive_scan_id("a message")
SECRET = "a secret"  # of the scan's shards


def clock() -> datetime:
    return NOW


def a_request(**fields: Any) -> ScanRequest:
    plain: dict[str, Any] = {"name": "lan", "targets": ("127.0.0.1",)}
    return ScanRequest(**plain | fields)


def a_scan(**fields: Any) -> Scan:
    plain: dict[str, Any] = {
        "scan_id": SCAN_ID,
        "name": "lan",
        "state": ScanState.SCANNING,
        "requested_at": NOW,
        "cause_id": "a message",
        "request": a_request(labels={"team": "blue"}),
        "shards": 1,
        "shards_open": 1,
        "addresses": 1,
        "shard_secret": SECRET,
    }
    scan = Scan(**plain | fields)
    counted = {"shards_waiting", "shards_in_flight"} & fields.keys()
    return scan if counted else replace(scan, shards_in_flight=scan.shards_open)


def shard_token(number: int = 0) -> str:
    """The token of a shard of `a_scan`."""
    return derive_shard_token(SECRET, number)


def shard_queued(number: int = 0, **fields: Any) -> ShardQueued:
    """The message of a shard of `a_scan`."""
    plain: dict[str, Any] = {"scan_id": SCAN_ID, "cause_id": "planned", "shard": number, "token": shard_token(number)}
    return ShardQueued(**plain | fields)


def proven(key: ReportKey, secret: str = SECRET) -> dict[str, str]:
    """The metadata of a report that a worker stores which has the message of its shard."""
    return {PROOF: derive_report_proof(derive_shard_token(secret, key.shard), key.attempt)}


def a_shard(**fields: Any) -> Shard:
    plain: dict[str, Any] = {
        "scan_id": SCAN_ID,
        "number": 0,
        "lane": Lane.EXPRESS,
        "slices": (TargetSlice("127.0.0.1", 0, 1),),
        "arguments": ("-n",),
        "addresses": 1,
    }
    return Shard(**plain | fields)


def claim(table: ScanTable, number: int = 0, **fields: Any) -> Shard | None:
    """Claim a shard: by default as "worker", with "a message", at NOW, for a minute."""
    plain: dict[str, Any] = {
        "scan_id": SCAN_ID,
        "worker": "worker",
        "message_id": "a message",
        "lease_until": NOW + timedelta(minutes=1),
        "now": NOW,
    }
    return table.claim_shard(number=number, **plain | fields)


def a_run(**fields: Any) -> NmapRun:
    plain: dict[str, Any] = {"exit_code": 0, "addresses": 1, "started_at": NOW, "finished_at": NOW}
    return NmapRun(**plain | fields)


def a_table(scan: Scan, *shards: Shard) -> MemoryScanTable:
    table = MemoryScanTable()
    table.create_scan(scan)
    table.add_shards(shards)
    return table


def event_names(bus: MemoryEventBus) -> list[str]:
    return [type(event).__name__ for event in bus.events]


def body(**fields: Any) -> str:
    """A request in the short form, as JSON."""
    return json.dumps(fields)
