"""The scan table's items: from values to DynamoDB's wire form, and back.

what      pk                  sk                          attributes
────────  ──────────────────  ──────────────────────────  ────────────────────────────────────────
scan      scan/<scan id>      scan                        body, state, announced, outcome,
                                                          finished_at, error_description, shards,
                                                          shards_open, shards_waiting,
                                                          shards_in_flight, parallel, deadline_at,
                                                          windows, shard_outcomes (map), findings
                                                          (number), findings_revision,
                                                          severities, categories,
                                                          changes (maps), hosts_up,
                                                          extra_addresses, lambda_ms, spot_ms,
                                                          on_demand_ms, attempts, report_bytes,
                                                          cost, suspension, reasons, layout, spread,
                                                          findings_layout, earlier_findings,
                                                          shard_secret; of an earlier layout
                                                          moved_secret;
                                                          listing="scans",
                                                          listed_at=<requested at>#<scan id>
shard     shard/<scan id>     <number, 6 digits>/<token>  body, state, attempt, failures, worker,
                                                          message_id, lease_until, claimed_at,
                                                          lambda_ms, spot_ms, on_demand_ms, progress,
                                                          remainder, run, cut, outcome, reasons,
                                                          error_description, stderr; while it
                                                          waits: listing="waiting/<scan id>",
                                                          listed_at=<number, 6 digits>
earlier   scan/<scan id>      shard/<number, 6 digits>    a shard of a scan without `layout`, as an
                                                          earlier version stored it
address   scan/<scan id>      address/<of a name>         shard (number), which counts it
due       agenda              <instant>/<scan id>/<task>
switch    stack               switch                      body
severity  stack               severity                    body, version
networks  stack               network-identities          body, version
vantage   vantages            vantage/<name>              body
rule      rules               rule/<name>                 body, version, stored_at, deleted
          rule/<name>         version/<6 digits>          body, version, stored_at
cascade   scan/<scan id>      cascade                     body, decided
child     scan/<scan id>      child/<key>                 body, sent
budget    cascade/<root id>   budget                      scans, probes, cost (micro-USD),
                                                          expires_at
asked     cascade/<root id>   asked/<key of the child>    body, expires_at

A worker may read and write the partitions `shard/` alone, and only with the whole key. The token in
it is derived from `shard_secret`, which no worker can read, and travels in the shard's message.

finding_items.py describes the items of findings, inventory_items.py those of the inventory,
recording_items.py those of reports that are recorded in several turns, exposures.py those of exposures,
audit_items.py those of the audit list.

A field that is changed or counted in place is an attribute. `body` holds the other fields as one
JSON text, which takes a tenth of the CPU of a nested item; so do a shard's `run` and `progress`, a
scan's `windows`, and the `reasons` of both. A text longer than PACKED_BYTES is compressed by zlib:
DynamoDB bills every update by the size of the whole item, and each shard updates the counters of
its scan.

`expires_at` (epoch seconds), if an operator sets it, is the time to live. The index `listing`
(listing, listed_at) lists scans by age, and the waiting shards of a scan.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from cascan.aws.dynamodb.wire import (
    Item,
    Value,
    build_key,
    decode_attribute,
    encode_body,
    format_instant,
    from_value,
    is_set,
    to_values,
    unpack_text,
)
from cascan.clock import to_wire
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.identity import StoredNetworks
from cascan.model.migration import MigrationCursor
from cascan.model.scan import Scan, ScanBrief
from cascan.model.shard import Shard, ShardState
from cascan.model.usage import USAGE_FIELDS
from cascan.model.vantage import Vantage
from cascan.rules.severity import StoredRules

SCANS = "scans"  # the partition of the index that holds every scan
AGENDA = "agenda"
VANTAGES = "vantages"
EARLIER_SHARDS = "shard/"  # the prefix of the sort keys of shards that an earlier version stored
SCAN_ATTRIBUTES = ("state", "announced", "outcome", "finished_at", "error_description", "shards",
                   "shards_open", "shards_waiting", "shards_in_flight", "parallel", "deadline_at",
                   "shard_outcomes", "hosts_up", "changes", "extra_addresses",
                   "shard_secret")  # fmt: skip
REVISION = "findings_revision"
BRIEF_ATTRIBUTES = ("state", "deadline_at", "windows")
SHARD_ATTRIBUTES = ("state", "attempt", "failures", "worker", "message_id", "lease_until",
                    "remainder", "outcome", "error_description", "stderr")  # fmt: skip
SHARD_BODIES = ("run", "progress", "cut")  # each a JSON text of its own
LAYOUT = 2  # of the items of scans that this version accepts
FIRST_LAYOUT = 1  # of the items of a scan without the attribute
LAYOUT_ATTRIBUTES = ("layout", "findings_layout", "earlier_findings", "spread", "shard_secret", "moved_secret")
SPREAD_AT_PROBES = (10_000,)  # from each number of probes on, one hex digit more


class ScanLayout(NamedTuple):
    """How the items of a scan are laid out. A scan keeps the layout of the version that accepted it."""

    layout: int = LAYOUT
    spread: int = 0  # how many hex digits are part of the partition keys of its findings
    secret: str = ""  # the tokens of its shards are derived from it; an earlier layout has none at first
    findings: int = LAYOUT  # of its findings, which `cascan migrate` moves
    has_earlier_findings: bool = False  # those that were moved are not all deleted


def scan_key(scan_id: str) -> Item:
    return build_key(f"scan/{scan_id}", "scan")


def shards_partition(scan_id: str) -> str:
    return f"shard/{scan_id}"


def shard_key(scan_id: str, number: int, token: str) -> Item:
    return build_key(shards_partition(scan_id), f"{number:06d}/{token}")


def earlier_shard_key(scan_id: str, number: int) -> Item:
    """The key of a shard that an earlier version stored."""
    return build_key(f"scan/{scan_id}", f"{EARLIER_SHARDS}{number:06d}")


def read_shard_number(item: Item) -> int:
    """The number in a shard's key, of either layout. Raises: ValueError."""
    return int(item["sk"]["S"].removeprefix(EARLIER_SHARDS).partition("/")[0])


def listed_at(requested_at: datetime, scan_id: str) -> str:
    """The place of a scan in the index of scans."""
    return f"{to_wire(requested_at)}#{scan_id}"


def scan_item(scan: Scan) -> Item:
    fields = msgspec.to_builtins(scan)
    counts, windows = fields.pop("findings"), fields.pop("windows")
    del fields["usage"]
    cost, suspension = fields.pop("cost"), fields.pop("suspension")
    revision = fields.pop(REVISION)
    reasons = fields.pop("reasons") if scan.reasons.counts else None
    attributes = {name: fields.pop(name) for name in SCAN_ATTRIBUTES} | {
        "findings": counts["count"],
        "severities": counts["severities"],
        "categories": counts["categories"],
        "layout": LAYOUT,
        "spread": choose_spread(scan),
        "listing": SCANS,
        "listed_at": listed_at(scan.requested_at, scan.scan_id),
    }
    item = scan_key(scan.scan_id) | {"body": encode_body(fields)} | to_values(attributes)
    for name, value in (("windows", windows), ("reasons", reasons), ("cost", cost), ("suspension", suspension)):
        if value:
            item[name] = encode_body(value)
    if revision:  # most have none: each update is billed by the size of the item
        item |= to_values({REVISION: revision})
    return item | to_values(scan.usage.counts)


def read_scan(item: Item) -> Scan:
    attributes = {"count": "findings", "severities": "severities", "categories": "categories"}
    present = {field: name for field, name in attributes.items() if name in item}
    counts = {field: from_value(item[name]) for field, name in present.items()}
    fields = _read_fields(item, (*SCAN_ATTRIBUTES, REVISION)) | {"findings": counts}
    fields["windows"] = decode_attribute(item, "windows") or ()
    fields["reasons"] = decode_attribute(item, "reasons") or {}
    fields |= {"usage": _read_usage(item), "cost": decode_attribute(item, "cost")}
    fields["suspension"] = decode_attribute(item, "suspension")
    return msgspec.convert(fields, Scan)


def _read_usage(item: Item) -> dict[str, Any]:
    """Of a scan or a shard; earlier versions stored none."""
    return {name: from_value(item[name]) for name in USAGE_FIELDS if name in item}


def read_brief(item: Item, *, halted: bool) -> ScanBrief:
    """From an item with those of BRIEF_ATTRIBUTES that the scan has."""
    fields = {name: from_value(item[name]) for name in BRIEF_ATTRIBUTES if name in item}
    windows = decode_attribute(item, "windows") or ()
    return msgspec.convert(fields | {"windows": windows, "halted": halted}, ScanBrief)


def shard_item(shard: Shard, key: Item) -> Item:
    """The shard's item. Raises: Rejected: its slices or arguments are too long for an item."""
    item = key | _shard_attributes(shard)
    return item | waiting_listing(shard) if shard.state is ShardState.WAITING else item


def _shard_attributes(shard: Shard) -> Item:
    """The attributes of a shard's item, without its key and its place in the index."""
    fields = msgspec.to_builtins(shard)
    bodies = {name: fields.pop(name) for name in SHARD_BODIES}
    reasons = fields.pop("reasons") if shard.reasons.counts else None
    attributes = {name: fields.pop(name) for name in SHARD_ATTRIBUTES}
    # Conditions compare the lease as a text.
    attributes["lease_until"] = format_instant(shard.lease_until) if shard.lease_until else None
    if claimed_at := fields.pop("claimed_at"):
        attributes["claimed_at"] = claimed_at
    del fields["usage"]
    attributes |= shard.usage.counts
    item = {"body": encode_body(fields)} | to_values(attributes)
    for name, value in (bodies | {"reasons": reasons}).items():
        if value:
            item[name] = encode_body(value)
    return item


def address_item(scan_id: str, number: int, address: str) -> Item:
    """The item that records which shard counts an address to which a name resolves."""
    return build_key(f"scan/{scan_id}", f"address/{address}") | {"shard": {"N": str(number)}}


def waiting_listing(shard: Shard) -> Item:
    """The attributes that put a shard in the index of its scan's waiting shards."""
    return {
        "listing": {"S": waiting_partition(shard.scan_id)},
        "listed_at": {"S": waiting_order(shard.number)},
    }


def waiting_order(number: int) -> str:
    """The place of a waiting shard among those of its scan."""
    return f"{number:06d}"


def waiting_partition(scan_id: str) -> str:
    return f"waiting/{scan_id}"


def encode_shard_body(shard: Shard) -> Value:
    """The fields of a shard that change only when it is cut."""
    return _shard_attributes(shard)["body"]


def read_shard(item: Item) -> Shard:
    bodies = {name: decode_attribute(item, name) for name in SHARD_BODIES}
    bodies["reasons"] = decode_attribute(item, "reasons") or {}
    bodies["usage"] = _read_usage(item)
    attributes = (*SHARD_ATTRIBUTES, "claimed_at")
    return msgspec.convert(_read_fields(item, attributes) | bodies, Shard)


def agenda_key(entry: AgendaEntry) -> Item:
    return build_key(AGENDA, f"{format_instant(entry.due_at)}/{entry.scan_id}/{entry.task}")


def read_agenda_entry(item: Item) -> AgendaEntry:
    due_at, scan_id, task = item["sk"]["S"].split("/")
    return AgendaEntry(datetime.fromisoformat(due_at), scan_id, AgendaTask(task))


def switch_key() -> Item:
    return build_key("stack", "switch")


def switch_item(switch: Switch) -> Item:
    return switch_key() | {"body": encode_body(switch)}


def read_switch(item: Item) -> Switch:
    return msgspec.json.decode(unpack_text(item["body"]), type=Switch)


def choose_spread(scan: Scan) -> int:
    """How many hex digits of a finding's id are part of its partition key, for a new scan."""
    return bisect_right(SPREAD_AT_PROBES, scan.probes)


def read_layout(item: Item) -> ScanLayout:
    """The layout that was chosen when the scan was created."""
    layout = int(item["layout"]["N"]) if "layout" in item else FIRST_LAYOUT
    spread = int(item["spread"]["N"]) if "spread" in item else 0
    secret = item.get("shard_secret") or item.get("moved_secret") or {"S": ""}
    findings = int(item["findings_layout"]["N"]) if "findings_layout" in item else layout
    return ScanLayout(layout, spread, secret["S"], findings, is_set(item, "earlier_findings"))


def vantage_key(name: str) -> Item:
    return build_key(VANTAGES, f"vantage/{name}")


def vantage_item(vantage: Vantage) -> Item:
    return vantage_key(vantage.name) | {"body": encode_body(vantage)}


def read_vantage(item: Item) -> Vantage:
    return msgspec.json.decode(unpack_text(item["body"]), type=Vantage)


def network_identities_key() -> Item:
    return build_key("stack", "network-identities")


def network_identities_item(stored: StoredNetworks) -> Item:
    version = {"N": str(stored.version)}
    return network_identities_key() | {"body": encode_body(stored), "version": version}


def read_network_identities(item: Item) -> StoredNetworks:
    return msgspec.json.decode(unpack_text(item["body"]), type=StoredNetworks)


def migration_cursor_key() -> Item:
    return build_key("stack", "migration-cursor")


def migration_cursor_item(cursor: MigrationCursor) -> Item:
    version = {"N": str(cursor.version)}
    return migration_cursor_key() | {"body": encode_body(cursor), "version": version}


def read_migration_cursor(item: Item) -> MigrationCursor:
    return msgspec.json.decode(unpack_text(item["body"]), type=MigrationCursor)


def severity_rules_key() -> Item:
    return build_key("stack", "severity")


def severity_rules_item(stored: StoredRules) -> Item:
    version = {"N": str(stored.version)}
    return severity_rules_key() | {"body": encode_body(stored), "version": version}


def read_severity_rules(item: Item) -> StoredRules:
    return msgspec.json.decode(unpack_text(item["body"]), type=StoredRules)


def _read_fields(item: Item, attributes: tuple[str, ...]) -> dict[str, Any]:
    """The fields in the item's body, and those in attributes of their own."""
    body: dict[str, Any] = msgspec.json.decode(unpack_text(item["body"]))
    return body | {name: from_value(item[name]) for name in attributes if name in item}
