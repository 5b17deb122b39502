"""What is stored, or sent, by another version is read; what cannot be read costs nothing else.

The states below tests/data/states are read as they are, then every item, record and message of them once more with a
field that no version knows, and without each of its optional fields.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from cascan import stored
from cascan.aws import clients
from cascan.aws.dynamodb.wire import Item, Value, pack_text, unpack_text
from cascan.aws.s3.operator_records import S3OperatorRecords
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.tables import (
    audit_items,
    cascade_table,
    exposures,
    finding_items,
    history_items,
    inventory_items,
    items,
    mute_table,
    recording_items,
    rule_table,
    saved_filter_items,
    schedule_table,
)
from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.history_items import LookNetwork
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.errors import UnreadableItem
from cascan.events import BUS_EVENTS, ReportStored, ShardQueued, parse_event
from cascan.events.control import ControlRequested
from cascan.forms import read_request
from cascan.gateways import ScanGateways
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.audit import AuditEntry
from cascan.model.cascade import CascadeRecord, ChildIdentity, StoredChild
from cascan.model.exposure import Exposure, ExposureDay, StoredExpectations
from cascan.model.finding import Finding
from cascan.model.identity import StoredNetworks
from cascan.model.inventory import Change, HostRecord, InventoryQuery, PortRecord, Sighting
from cascan.model.migration import MigrationCursor
from cascan.model.mute import HeldMessage, StoredMute
from cascan.model.recording import Recording
from cascan.model.saved_filter import SavedFilter
from cascan.model.scan import Scan, ScanState
from cascan.model.schedule import ScanTypes, ScheduledRun
from cascan.model.shard import NmapRun, Shard
from cascan.model.vantage import Vantage
from cascan.recovery import scan_records as records
from cascan.recovery.operator_records import restore_records
from cascan.recovery.scan_history import read_scan_history
from cascan.rules.severity import StoredRules
from cascan.schedules.due import ScheduleDue
from on_minute_passed.run_due_tasks import run_due_tasks
from on_vuls_results_stored.vuls_records import Asked, EndedRequest, VulsRecords
from tests.fakes import MemoryEventBus, MemoryOperatorRecords, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.fakes.message_threads import MemoryMessageThreads
from tests.integration.handlers.conftest import moto_clients, stack  # noqa: F401 - fixtures
from tests.integration.handlers.stack import BUCKET, TABLE, Stack
from tests.support.other_versions import UNKNOWN, variants

STATES = Path(__file__).parents[1] / "data" / "states"
VERSIONS = sorted(path.name for path in STATES.iterdir() if (path / "items.jsonl").exists())
LATER = datetime(2100, 1, 1, tzinfo=UTC)


class Kind(NamedTuple):
    """A kind of item: how it is recognised, what reads it, and what its JSON attributes hold."""

    pk: str
    sk: str
    read: Callable[[Item], Any]
    holds: dict[str, Any]  # attribute → type


KINDS = (
    Kind("scan/", "scan", items.read_scan, {"body": Scan}),
    Kind("scan/", "shard/", items.read_shard, {"body": Shard, "run": NmapRun}),
    Kind("shard/", "", items.read_shard, {"body": Shard, "run": NmapRun}),
    Kind("scan/", "cascade", cascade_table._record_in, {"body": CascadeRecord}),
    Kind("scan/", "child/", cascade_table._child_in, {"body": StoredChild}),
    Kind("scan/", "recording/", recording_items._recording_in, {"body": Recording}),
    Kind("scan/", "recorded/", recording_items._intervals_in, {}),
    Kind("agenda", "", items.read_agenda_entry, {}),
    Kind("audit", "", audit_items.read_audit_entry, {"body": AuditEntry}),
    Kind("stack", "switch", items.read_switch, {"body": Switch}),
    Kind("stack", "severity", items.read_severity_rules, {"body": StoredRules}),
    Kind("stack", "network-identities", items.read_network_identities, {"body": StoredNetworks}),
    Kind("stack", "migration-cursor", items.read_migration_cursor, {"body": MigrationCursor}),
    Kind("vantages", "vantage/", items.read_vantage, {"body": Vantage}),
    Kind("rules", "rule/", rule_table._rule_in, {}),
    Kind("rule/", "version/", rule_table._rule_in, {}),
    Kind("cascade/", "budget", cascade_table._spent_in, {}),
    Kind("cascade/", "asked/", cascade_table._asked_in, {"body": ChildIdentity}),
    Kind("findings/", "4.", finding_items.read_lines, {}),
    Kind("findings/", "", finding_items.read_finding, {"body": Finding}),
    Kind("schedules", "schedule/", schedule_table._schedule_in, {}),
    Kind("schedules", "scan-types", schedule_table._scan_types_in, {"body": ScanTypes}),
    Kind("schedule/", "status", schedule_table._status_in, {}),
    Kind("schedule/", "run/", schedule_table._run_in, {"body": ScheduledRun}),
    Kind("address/", "host", inventory_items.read_host, {"body": HostRecord}),
    Kind("address/", "ports/", inventory_items.read_ports, {"body": tuple[PortRecord, ...]}),
    Kind("changes/", "host/", inventory_items.read_changes, {"body": tuple[Change, ...]}),
    Kind("network/", "asked/", inventory_items.read_asked, {"body": Sighting}),
)


def read_looks(item: Item) -> object:
    """The looks, or the addresses that were not up."""
    network = LookNetwork.parse(item["pk"]["S"].rpartition("/")[2])
    return [*history_items.read_all_looks(item, network), *history_items.read_absent(item, network)]


# Kinds that no folder has yet: later_items.jsonl and later_objects.jsonl have an example of each
LATER_KINDS = (
    Kind("exposures/", "", exposures._read_exposure, {"body": Exposure}),
    Kind("stack", "expectations", exposures._read_expectations, {"body": StoredExpectations}),
    Kind("stack", "exposure-day", exposures._read_day, {"body": ExposureDay}),
    Kind("saved-filters", "", saved_filter_items.read_saved_filter, {"body": SavedFilter}),
    Kind("mutes/", "", mute_table._read_held, {"body": HeldMessage}),
    Kind("mutes", "", mute_table._read_mute, {"body": StoredMute}),
    Kind("looks/", "", read_looks, {}),  # the parts of its body refer to each other
)
LATER_OBJECTS: dict[str, Any] = {"state.json": Asked, "0.json": EndedRequest}
NOT_IN_EVERY_STATE = {
    ("network/", "asked/"),  # targets that never answered
    ("findings/", "4."),  # layout 2
    ("shard/", ""),
    ("vantages", "vantage/"),
    ("stack", "network-identities"),
    ("audit", ""),  # of consoles
    ("stack", "migration-cursor"),  # while a migration runs
}
WITHOUT_A_VALUE = ("network/", "networks", "issued/", "exposure/")  # keys, and a digest
# attributes that every item of their kind has had since the first version, and that have no default
NEEDED = {"pk", "sk", "body", "state", "version", "stored_at", "lease_until"}


def lines(version: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (STATES / version / f"{name}.jsonl").read_text().splitlines()]


def kind_of(item: Item) -> Kind | None:
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    return next((kind for kind in (*KINDS, *LATER_KINDS) if pk.startswith(kind.pk) and sk.startswith(kind.sk)), None)


def other_items(item: Item, kind: Kind) -> Iterator[Item]:
    """The item as other versions might have written it."""
    yield item | {UNKNOWN: {"S": "?"}}
    yield item | {UNKNOWN: {"L": [{"NULL": True}]}}
    for name in item.keys() - NEEDED:
        yield {attribute: value for attribute, value in item.items() if attribute != name}
    for name, held in kind.holds.items():
        if name in item:
            for variant in variants(held, msgspec.json.decode(unpack_text(item[name]))):
                yield item | {name: pack_text(msgspec.json.encode(variant))}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_item_is_read_as_any_version_may_have_written_it(version: str) -> None:
    for item in lines(version, "items"):
        kind = kind_of(item)
        if kind is None:
            assert item["pk"]["S"].startswith(WITHOUT_A_VALUE), f"no kind of item is known for {item['pk']}"
            continue
        kind.read(item)
        for other in other_items(item, kind):
            kind.read(other)


def test_every_item_of_a_later_kind_is_read_as_any_version_may_have_written_it() -> None:
    kinds = set()
    for item in lines("", "later_items"):
        if item["pk"]["S"].startswith(WITHOUT_A_VALUE):
            continue
        kind = kind_of(item)
        assert kind
        assert kind.read(item)
        for other in other_items(item, kind):
            kind.read(other)
        kinds.add(kind[:2])
    assert kinds == {kind[:2] for kind in LATER_KINDS}


def test_every_object_of_a_later_kind_is_read_as_any_version_may_have_written_it() -> None:
    for line in lines("", "later_objects"):
        content, kind = base64.b64decode(line["base64"]), LATER_OBJECTS[line["key"].rpartition("/")[2]]
        for variant in (msgspec.json.decode(content), *variants(kind, msgspec.json.decode(content))):
            records = MemoryOperatorRecords()
            records.put(line["key"].removeprefix("vuls/"), msgspec.json.encode(variant))
            vuls = VulsRecords(records)
            assert vuls.asked("9f2c") or vuls.ended("9f2c", 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_holds_an_item_of_every_kind(version: str) -> None:
    found = {(kind.pk, kind.sk) for item in lines(version, "items") if (kind := kind_of(item))}
    assert {(kind.pk, kind.sk) for kind in KINDS} - found <= NOT_IN_EVERY_STATE


@pytest.mark.parametrize("version", VERSIONS)
def test_records_in_the_bucket_are_read_as_any_version_may_have_written_them(version: str) -> None:
    objects = {line["key"]: base64.b64decode(line["base64"]) for line in lines(version, "objects")}
    scan_ids = {key.split("/")[1] for key in objects if key.startswith("scans/")}
    assert scan_ids
    for scan_id in scan_ids:
        own = {key.split("/", 2)[2]: body for key, body in objects.items() if key.startswith(f"scans/{scan_id}/")}
        assert read_scan_history(scan_id, store_of(scan_id, own)) is not None
        for name, body in own.items():
            for other in other_records(name, body):
                assert read_scan_history(scan_id, store_of(scan_id, own | {name: other})) is not None


def other_records(name: str, body: bytes) -> Iterator[bytes]:
    if name == records.PLAN:
        first, *others = body.splitlines()
        for variant in variants(Scan, msgspec.json.decode(first)):
            yield b"\n".join([msgspec.json.encode(variant), *others])
        for variant in variants(Shard, msgspec.json.decode(others[0])):
            yield b"\n".join([first, msgspec.json.encode(variant), *others[1:]])
    else:
        kind = Scan if name == records.END else records.ReportedShard
        for variant in variants(kind, msgspec.json.decode(body)):
            yield msgspec.json.encode(variant)


def store_of(scan_id: str, own: dict[str, bytes]) -> MemoryReportStore:
    store = MemoryReportStore()
    store.records_by_key = {(scan_id, name): body for name, body in own.items()}
    return store


# ---- messages

EVENTS = {event.__name__: event for event in BUS_EVENTS}


def read_message(queue: str, body: str) -> object:
    """As the function behind the queue does."""
    if queue in ("express", "connect", "raw"):
        return ShardQueued.from_wire(body)
    if queue in ("completions", "heard"):
        return parse_event(body, EVENTS[json.loads(body)["detail-type"]])
    readers: dict[str, Callable[[str], object]] = {
        "reports": ReportStored.from_wire,
        "controls": ControlRequested.from_wire,
        "schedules": lambda text: ScheduleDue.from_wire(text, LATER),
        "requests": lambda text: read_request(text, is_issued=True),
    }
    return readers[queue](body)


def other_messages(queue: str, body: str) -> Iterator[str]:
    message = json.loads(body)
    if queue in ("completions", "heard"):
        for variant in variants(EVENTS[message["detail-type"]], message["detail"]):
            yield json.dumps(message | {"detail": variant})
    if queue != "requests":
        yield json.dumps(message | {UNKNOWN: 1})
    elif "origin" in message:
        yield json.dumps(message | {UNKNOWN: 1, "origin": message["origin"] | {UNKNOWN: 1}})
    kinds: dict[str, Any] = {"controls": ControlRequested, "schedules": ScheduleDue}
    if "detail-type" not in message:
        yield from map(json.dumps, variants(kinds.get(queue, ShardQueued if queue != "requests" else None), message))


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_are_read_as_any_version_may_have_written_them(version: str) -> None:
    queues = set()
    for line in lines(version, "messages"):
        queue, body = line["queue"], line["body"]
        queues.add(queue)
        if queue == "requests" and "8.8.8.8" in body:
            continue  # refused, by its scope, and read all the same
        read_message(queue, body)
        for other in other_messages(queue, body):
            if queue != "controls" or "scanId" in other or "halt" in other:
                read_message(queue, other)
    assert queues >= {"requests", "schedules", "controls", "express", "reports", "completions", "heard"}


# ---- a whole state, read by the gateways


def restored(version: str) -> None:
    """The state, as the table and the bucket of a stack on moto."""
    for item in lines(version, "items"):
        clients.dynamodb().put_item(TableName=TABLE, Item={name: binary(value) for name, value in item.items()})
    for line in lines(version, "objects"):
        clients.s3().put_object(Bucket=BUCKET, Key=line["key"], Body=base64.b64decode(line["base64"]))


def binary(value: Value) -> Value:
    return {"B": base64.b64decode(value["B"])} if "B" in value else value


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_of_an_earlier_version_is_read_by_every_gateway_and_a_table_is_made_again_of_it(
    version: str,
    stack: Stack,  # noqa: F811 - the fixture
) -> None:
    restored(version)
    table, cascades = stack.table, DynamoCascadeTable(TABLE)
    scans = {scan.scan_id: scan for scan in table.list_scans(100)}
    states = sorted(scan.state for scan in scans.values())
    assert states == ["Done", "Done", "Errored", "Errored", "Suspended"]
    assert len(list(table.due(LATER, 100))) == 3
    assert table.switch() is not None
    assert table.severity_rules() is not None
    done = [scan for scan in scans.values() if scan.state is ScanState.DONE]
    assert all(list(table.findings(scan.scan_id)) for scan in done)
    assert sum(len(list(table.shards(scan_id))) for scan_id in scans) == 6
    assert [len(list(cascades.cascade_children(scan.scan_id))) for scan in done if scan.hop == 0] == [1]
    assert [rule.name for rule in DynamoRuleTable(TABLE).rules()] == ["probe"]
    schedules = DynamoScheduleTable(TABLE)
    assert [stored.name for stored in schedules.schedules()] == ["nightly"]
    assert [scans[run.scan_id].state for run in schedules.runs("nightly")] == [ScanState.ERRORED]
    assert sorted(host.address for host in table.hosts(InventoryQuery())) == ["10.0.0.1", "127.0.0.1"]
    assert all(read_scan_history(scan_id, S3ReportStore(BUCKET)) for scan_id in scans)
    again = restore_records(
        S3OperatorRecords(BUCKET),
        table=MemoryScanTable(),
        rules=DynamoRuleTable(TABLE),
        schedules=schedules,
        channels=MemoryMessageThreads(),
    )
    assert (again.halted, again.severity_rules) == (True, 1)


@pytest.fixture
def unreadable() -> Iterator[list[UnreadableItem]]:
    """What could not be read."""
    errors: list[UnreadableItem] = []
    before = list(stored._listeners)
    stored.listen(errors.append)
    yield errors
    stored._listeners[:] = before


@pytest.mark.parametrize("version", VERSIONS)
def test_an_item_that_cannot_be_read_costs_no_other_its_place_and_is_reported(
    version: str,
    stack: Stack,  # noqa: F811 - the fixture
    unreadable: list[UnreadableItem],
) -> None:
    restored(version)
    table = stack.table
    whole = list(table.list_scans(100))
    for prefix, sk in (
        ("scan/", "scan"),
        ("scan/", "shard/"),
        ("findings/", ""),
        ("rules", ""),
        ("schedules", "sched"),
    ):
        damage(prefix, sk)
    assert len(list(table.list_scans(100))) == len(whole) - 1
    assert sum(len(list(table.shards(scan.scan_id))) for scan in whole) == 5
    assert list(DynamoRuleTable(TABLE).rules()) == []
    assert [one.document for one in DynamoScheduleTable(TABLE).schedules()] == [{"name": 5}]  # judged by who reads it
    assert {str(error).split(" cannot")[0].rsplit(" ", 1)[1].split("/")[0] for error in unreadable} == {
        "scan", "shard", "rule"
    }  # fmt: skip
    with pytest.raises(UnreadableItem, match="cannot be read by this version"):
        [table.get_scan(scan.scan_id) for scan in whole]


def damage(prefix: str, sk: str) -> None:
    """Break the first item of its kind."""
    pages = clients.dynamodb().scan(TableName=TABLE, ConsistentRead=True)["Items"]
    item: Any = next(
        item
        for item in sorted(pages, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
        if item["pk"]["S"].startswith(prefix) and item["sk"]["S"].startswith(sk)
    )
    clients.dynamodb().put_item(TableName=TABLE, Item=item | {"body": {"S": '{"name": 5}'}})


def test_one_scan_that_cannot_be_read_does_not_keep_the_agenda_from_the_others(
    stack: Stack,  # noqa: F811 - the fixture
    unreadable: list[UnreadableItem],
) -> None:
    restored(VERSIONS[0])
    damage("scan/pujdtsk7pq64546q", "scan")
    now = LATER
    entry = AgendaEntry(now, "36h2xwpjs5ackcxo", AgendaTask.EXPIRE)
    stack.table.add_to_agenda(entry)
    gateways = ScanGateways(stack.table, MemoryShardQueues(), MemoryEventBus(), lambda: now)
    kept = run_due_tasks(gateways, S3ReportStore(BUCKET))
    assert kept.done == {"expire": 1}
    assert {scan_id for scan_id, _ in kept.failures} == {"pujdtsk7pq64546q"}
    assert stack.table.get_scan("36h2xwpjs5ackcxo") is None
    assert list(stack.table.due(now, 10)) == []  # they are looked at again in an hour, behind what is due
    assert len(list(stack.table.due(now + timedelta(hours=1), 10))) == 3
    assert unreadable


def test_a_scan_of_another_version_that_has_a_field_this_one_does_not_know_is_no_failure_at_all(
    stack: Stack,  # noqa: F811 - the fixture
    unreadable: list[UnreadableItem],
) -> None:
    restored(VERSIONS[0])
    key = items.scan_key("pujdtsk7pq64546q")
    item: Any = clients.dynamodb().get_item(TableName=TABLE, Key=key)["Item"]
    body = msgspec.json.decode(unpack_text(item["body"]))
    body["request"] |= {UNKNOWN: True}
    clients.dynamodb().put_item(TableName=TABLE, Item=item | {"body": pack_text(msgspec.json.encode(body))})
    assert DynamoScanTable(TABLE).get_scan("pujdtsk7pq64546q") is not None
    assert unreadable == []


def test_a_house_record_that_cannot_be_read_is_passed_over() -> None:
    records_of_house = MemoryOperatorRecords()
    records_of_house.put("severity.json", b'{"version": "x"}')
    again = restore_records(
        records_of_house,
        table=MemoryScanTable(),
        rules=DynamoRuleTable(TABLE),
        schedules=DynamoScheduleTable(TABLE),
        channels=MemoryMessageThreads(),
    )
    assert again.severity_rules == 0
