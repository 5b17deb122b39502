"""The scan table's items: values to DynamoDB's wire form and back.

    what       pk                  sk                           attributes
    ─────────  ──────────────────  ───────────────────────────  ──────────────────────────────────────────────────────
    scan       scan/<scan id>      scan                         body, state, announced, outcome, finished_at,
                                                                error_description, shards, shards_open,
                                                                shards_waiting, shards_in_flight, parallel,
                                                                deadline_at, windows, shard_outcomes (map),
                                                                findings (number), severities, categories (maps),
                                                                changes (map), hosts_up, extra_addresses, reasons,
                                                                spread, listing="scans",
                                                                listed_at=<requested at>#<scan id>
    shard      scan/<scan id>      shard/<number, 6 digits>     body, state, attempt, failures, worker, message_id,
                                                                lease_until, progress, remainder, run, outcome,
                                                                reasons, error_description, stderr; while it waits
                                                                listing="waiting/<scan id>", listed_at=<its sort key>
    address    scan/<scan id>      address/<of a name>          shard (number), which counts it
    due        agenda              <instant>/<scan id>/<what>
    switch     stack               switch                       body
    severity   stack               severity                     body, version
    rule       rules               rule/<name>                  body, version, stored_at, deleted
               rule/<name>         version/<6 digits>           body, version, stored_at
    cascade    scan/<scan id>      cascade                      body, decided
    child      scan/<scan id>      child/<key>                  body, sent
    budget     cascade/<root id>   budget                       scans, probes, cost (micro-USD), expires_at
    asked      cascade/<root id>   asked/<key of the child>     body, expires_at
    finding    findings/<scan id>  <finding id>                 body, severity, category
               [/<its prefix>]
    (inventory_items.py draws those of the inventory, recording_items.py those of reports that take several turns)

An attribute of its own is one that is changed or counted in place; `body` (and a shard's `run` and `progress`, a scan's
`windows`, the `reasons` of both) is the rest of the value as one JSON string: a tenth of the CPU of a nested item.
Beyond PACKED_BYTES it is zlib's binary: DynamoDB bills every update by the size of the whole item, and a scan's
counters are updated once a shard.
`expires_at` (epoch seconds), where an operator sets it, is the time to live. The index `listing` (listing, listed_at)
lists scans by age, and the shards of a scan that wait.

A partition of DynamoDB takes 1,000 small writes a second. So the findings of a scan that may find many are spread over
partitions by the first `spread` hex digits of their id: 1, 16 or 256 of them, by the scan's probes, which are known
before the first finding is. Ids are hashes, so the partitions fill evenly; read one after the other, by prefix, they
give the findings in order of their id.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from typing import Any

import msgspec

from cascan.aws.dynamodb.wire import (
    Item,
    Value,
    build_key,
    decode_attribute,
    encode_body,
    format_instant,
    from_value,
    pack_text,
    to_values,
    unpack_text,
)
from cascan.clock import to_wire
from cascan.findings.truncate_finding import truncate_finding
from cascan.ids import ReportKey
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.finding import Finding, FindingLine
from cascan.model.scan import Scan, ScanBrief
from cascan.model.shard import Shard, ShardState
from cascan.rules.severity import StoredRules

SCANS = "scans"  # the partition of the index that holds every scan
AGENDA = "agenda"
SCAN_ATTRIBUTES = ("state", "announced", "outcome", "finished_at", "error_description", "shards", "shards_open",
                   "shards_waiting", "shards_in_flight", "parallel", "deadline_at", "shard_outcomes",
                   "hosts_up", "changes", "extra_addresses")  # fmt: skip
BRIEF_ATTRIBUTES = ("state", "deadline_at", "windows")
SHARD_ATTRIBUTES = ("state", "attempt", "failures", "worker", "message_id", "lease_until", "remainder", "outcome",
                    "error_description", "stderr")  # fmt: skip
SPREAD_AT_PROBES = (10_000, 10_000_000)  # from so many on, one hex digit more


def scan_key(scan_id: str) -> Item:
    return build_key(f"scan/{scan_id}", "scan")


def shard_key(scan_id: str, number: int) -> Item:
    return build_key(f"scan/{scan_id}", f"shard/{number:06d}")


def scan_item(scan: Scan) -> Item:
    fields = msgspec.to_builtins(scan)
    counts, windows = fields.pop("findings"), fields.pop("windows")
    reasons = fields.pop("reasons") if scan.reasons.counts else None
    own = {name: fields.pop(name) for name in SCAN_ATTRIBUTES} | {
        "findings": counts["count"],
        "severities": counts["severities"],
        "categories": counts["categories"],
        "spread": choose_spread(scan),
        "listing": SCANS,
        "listed_at": f"{to_wire(scan.requested_at)}#{scan.scan_id}",
    }
    item = scan_key(scan.scan_id) | {"body": encode_body(fields)} | to_values(own)
    return item | {name: encode_body(value) for name, value in (("windows", windows), ("reasons", reasons)) if value}


def read_scan(item: Item) -> Scan:
    own = {"count": "findings", "severities": "severities", "categories": "categories"}
    counts = {field: from_value(item[name]) for field, name in own.items() if name in item}
    bodies = {"windows": decode_attribute(item, "windows") or (), "reasons": decode_attribute(item, "reasons") or {}}
    return msgspec.convert(_fields(item, SCAN_ATTRIBUTES) | {"findings": counts} | bodies, Scan)


def read_brief(item: Item, *, halted: bool) -> ScanBrief:
    """From an item that holds BRIEF_ATTRIBUTES, as far as the scan has them."""
    own = {name: from_value(item[name]) for name in BRIEF_ATTRIBUTES if name in item}
    return msgspec.convert(own | {"windows": decode_attribute(item, "windows") or (), "halted": halted}, ScanBrief)


def shard_item(shard: Shard) -> Item:
    """Raises: Rejected: it has more slices or arguments than an item holds."""
    fields = msgspec.to_builtins(shard)
    run, progress = fields.pop("run"), fields.pop("progress")
    reasons = fields.pop("reasons") if shard.reasons.counts else None
    own = {name: fields.pop(name) for name in SHARD_ATTRIBUTES}
    own["lease_until"] = format_instant(shard.lease_until) if shard.lease_until else None  # compared as text
    item = shard_key(shard.scan_id, shard.number) | {"body": encode_body(fields)} | to_values(own)
    for name, value in (("run", run), ("progress", progress), ("reasons", reasons)):
        if value:
            item[name] = encode_body(value)
    return item | waiting_listing(shard) if shard.state is ShardState.WAITING else item


def address_item(scan_id: str, number: int, address: str) -> Item:
    """Of an address that a name stands for: the shard that counts it."""
    return build_key(f"scan/{scan_id}", f"address/{address}") | {"shard": {"N": str(number)}}


def waiting_listing(shard: Shard) -> Item:
    """What puts a shard among those of its scan that wait."""
    return {
        "listing": {"S": waiting_partition(shard.scan_id)},
        "listed_at": shard_key(shard.scan_id, shard.number)["sk"],
    }


def waiting_partition(scan_id: str) -> str:
    return f"waiting/{scan_id}"


def encode_shard_body(shard: Shard) -> Value:
    """The part of a shard that only cutting it changes."""
    return shard_item(shard)["body"]


def read_shard(item: Item) -> Shard:
    own = {name: decode_attribute(item, name) for name in ("run", "progress")}
    own["reasons"] = decode_attribute(item, "reasons") or {}
    return msgspec.convert(_fields(item, SHARD_ATTRIBUTES) | own, Shard)


def agenda_key(entry: AgendaEntry) -> Item:
    return build_key(AGENDA, f"{format_instant(entry.due_at)}/{entry.scan_id}/{entry.task}")


def read_agenda_entry(item: Item) -> AgendaEntry:
    at, scan_id, what = item["sk"]["S"].split("/")
    return AgendaEntry(datetime.fromisoformat(at), scan_id, AgendaTask(what))


def switch_key() -> Item:
    return build_key("stack", "switch")


def switch_item(switch: Switch) -> Item:
    return switch_key() | {"body": encode_body(switch)}


def read_switch(item: Item) -> Switch:
    return msgspec.json.decode(unpack_text(item["body"]), type=Switch)


def choose_spread(scan: Scan) -> int:
    """How many hex digits of a finding's id its partition says, for a new scan."""
    return bisect_right(SPREAD_AT_PROBES, scan.probes)


def read_spread(item: Item) -> int:
    """The scan's spread, as it was when the scan was created."""
    return int(item["spread"]["N"]) if "spread" in item else 0


def findings_partition(scan_id: str, prefix: str) -> str:
    """`prefix`: the first digits of the findings' ids, as many as the scan's spread."""
    return f"findings/{scan_id}/{prefix}" if prefix else f"findings/{scan_id}"


def findings_partitions(scan_id: str, spread: int) -> Iterator[str]:
    """Every partition of the scan's findings, in order of the ids that they hold."""
    for digits in product("0123456789abcdef", repeat=spread):
        yield findings_partition(scan_id, "".join(digits))


def severity_rules_key() -> Item:
    return build_key("stack", "severity")


def severity_rules_item(stored: StoredRules) -> Item:
    return severity_rules_key() | {"body": encode_body(stored), "version": {"N": str(stored.version)}}


def read_severity_rules(item: Item) -> StoredRules:
    return msgspec.json.decode(unpack_text(item["body"]), type=StoredRules)


def finding_item(
    scan_id: str, finding: Finding | FindingLine, spread: int = 0, source: ReportKey | None = None
) -> Item:
    return {
        "pk": {"S": findings_partition(scan_id, finding.id[:spread])},
        "sk": {"S": finding.id},
        "severity": {"S": str(finding.severity)},
        "category": {"S": finding.category},
        "body": _body_of_finding(finding, source),
    }


def _body_of_finding(finding: Finding | FindingLine, source: ReportKey | None) -> Value:
    """A host may fill a script's output: such a finding is cut, so that it does not hold up its whole report."""
    text = finding.encoded if isinstance(finding, FindingLine) else msgspec.json.encode(finding)
    if len(text) > MAX_FINDING_BYTES:  # however well it packs: who reads the findings has to unpack it
        text = msgspec.json.encode(truncate_finding(msgspec.json.decode(text, type=Finding), source))
    return pack_text(text)


def read_finding(item: Item) -> Finding:
    return msgspec.json.decode(unpack_text(item["body"]), type=Finding)


def _fields(item: Item, own: tuple[str, ...]) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(unpack_text(item["body"]))
    return body | {name: from_value(item[name]) for name in own if name in item}
