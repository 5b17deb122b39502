"""Changes and the inventory are exported with the ids that the scans' own findings have."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cascan.findings.by_host import group_by_host
from cascan.formats.change_records import select_change_records
from cascan.formats.first_seen import add_first_seen
from cascan.formats.inventory_records import select_inventory_records
from cascan.formats.records import Record, Status
from cascan.formats.select_records import select_scan_records
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.finding import Severity
from cascan.model.inventory import Change, InventoryQuery
from cascan.queries.finding_query import FindingQuery
from cascan.queries.moved_hosts import list_hosts
from tests.fakes import MemoryScanTable
from tests.support.scanned_network import World, at, xml
from tests.support.varied_findings import list_varied_records

BEFORE = {"10.0.0.1": (22, 80), "10.0.0.2": (22,), "2001:db8::1": (22,)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.scan(0, xml(BEFORE))
    world.scan(1, xml({"10.0.0.1": (22, 99)}))
    return world


def list_changes(world: World, hour: int) -> list[Change]:
    changes = world.table.changes(derive_scan_id(f"scan at {hour}"), 0)
    return [change for change in changes if change.before is not None]


def select(world: World) -> dict[tuple[str, str], Record]:
    records = select_change_records(list_changes(world, 1), world.table)
    return {(record.change, record.finding.location): record for record in records}


def fingerprints(world: World, hour: int) -> dict[str, str]:
    findings = world.table.findings(derive_scan_id(f"scan at {hour}"))
    return {finding.location: finding.fingerprint for finding in findings}


def test_a_port_that_opened_closed_or_whose_host_is_gone_has_the_id_of_its_finding(world: World) -> None:
    records = select(world)
    opened = records["PortOpened", "tcp://10.0.0.1:99"]
    closed = records["PortClosed", "tcp://10.0.0.1:80"]
    gone = records["HostGone", "10.0.0.2"]
    assert [record.status for record in (opened, closed, gone)] == [Status.OPEN, Status.GONE, Status.GONE]
    assert opened.finding.fingerprint == fingerprints(world, 1)["tcp://10.0.0.1:99"]
    assert closed.finding.fingerprint == fingerprints(world, 0)["tcp://10.0.0.1:80"]
    assert gone.finding.fingerprint == fingerprints(world, 0)["10.0.0.2"]
    assert (closed.last_seen, closed.finding.parsed_at) == (at(0), at(1))


def test_a_change_has_the_severity_that_the_finding_of_its_scan_has(world: World) -> None:
    scan_id = derive_scan_id("scan at 1")
    findings = [replace(finding, severity=Severity.HIGH) for finding in world.table.findings(scan_id)]
    world.table.put_findings(scan_id, group_by_host(findings), ReportKey(scan_id, 0, 2))
    assert select(world)["PortOpened", "tcp://10.0.0.1:99"].finding.severity is Severity.HIGH


def test_a_change_has_the_same_id_when_the_findings_of_its_scan_are_removed(world: World) -> None:
    before, changes = select(world), list_changes(world, 1)
    world.table.findings_by_element.clear()
    without = select_change_records(changes, world.table)
    assert sorted(record.uid for record in without) == sorted(record.uid for record in before.values())


@pytest.mark.parametrize("was_open", [False, True])
def test_the_inventory_has_the_ids_of_the_scans_findings_and_since_when(world: World, was_open: bool) -> None:
    query = InventoryQuery(was_open=was_open)
    records = list(select_inventory_records(list_hosts(world.table, query), query))
    places = {record.finding.location: record for record in records}
    known = fingerprints(world, 0) | fingerprints(world, 1)
    assert {place: record.finding.fingerprint for place, record in places.items()}.items() <= known.items()
    assert (places["tcp://10.0.0.1:22"].first_seen, places["tcp://10.0.0.1:22"].last_seen) == (at(0), at(1))
    assert ("tcp://10.0.0.1:80" in places) is was_open
    assert {r.status for r in records} == ({Status.OPEN, Status.GONE} if was_open else {Status.OPEN})


def test_the_records_of_a_scan_get_the_time_at_which_each_port_and_host_was_seen_first(world: World) -> None:
    scan = world.table.scans[derive_scan_id("scan at 1")]
    records = list(add_first_seen(select_scan_records(world.table, scan, FindingQuery()), world.table))
    first_seen = {record.finding.location: record.first_seen for record in records}
    assert first_seen == {"10.0.0.1": at(0), "tcp://10.0.0.1:22": at(0), "tcp://10.0.0.1:99": at(1)}


def test_an_open_port_without_its_number_does_not_get_the_time_of_its_host(world: World) -> None:
    scan = world.table.get_scan(derive_scan_id("scan at 1"))
    assert scan
    records = list(select_scan_records(world.table, scan, FindingQuery()))
    numberless = [
        replace(record, finding=replace(record.finding, attributes=record.finding.attributes | {"port": None}))
        for record in records
    ]
    first_seen = {record.finding.location: record.first_seen for record in add_first_seen(numberless, world.table)}
    assert first_seen == {"10.0.0.1": at(0), "tcp://10.0.0.1:22": None, "tcp://10.0.0.1:99": None}


def test_what_the_inventory_does_not_know_stays_as_it_is() -> None:
    records = list_varied_records()
    assert list(add_first_seen(records, MemoryScanTable())) == list(records)
