"""Reports that are parsed again: findings as this version makes them, and everything else as it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from cascan.events import FindingsRecorded
from cascan.gateways import EventBus
from cascan.ids import ReportKey
from cascan.model.finding import HostFindings
from cascan.model.scan import Counts, Scan, ScanState
from cascan.permissions.scope import Scope
from cascan.recovery.rebuild import NoBus
from cascan.recovery.reparse import Reparsed, find_reparse_refusal, reparse_scan
from cascan.recovery.scan_records import read_end
from cascan.rules.severity import StoredRules
from cascan.rules.severity_form import read_severity_rules
from on_report_stored.parse_again import parse_again
from on_scan_completed.publish import publish_again
from tests.fakes import MemoryEventBus
from tests.integration.gateways.examples import a_finding
from tests.support.builders import NOW
from tests.unit.cascan.recovery.test_rebuild import Failing, World

SCOPE = Scope.of(["127.0.0.0/8"])
STALE = a_finding(7)  # of no report: what an earlier reader made
SUPPRESSED = """
rules:
  - matches: {anyOf: [{category: Open Port}]}
    suppress: known
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def scan_id(world: World) -> str:
    """A scan that is done, with a finding that no report proves and without one that a report does."""
    scan_id = world.plan()
    world.finish(scan_id)
    shift_findings(world, scan_id)
    return scan_id


def shift_findings(world: World, scan_id: str) -> None:
    elements = world.table.findings_by_element
    key = min(key for key in elements if key[0] == scan_id)
    elements[key] = elements[key][1:]
    world.table.put_findings(scan_id, [HostFindings("127.0.0.9", [STALE])], ReportKey(scan_id, 0, 1))


def reparse(world: World, scan_id: str, bus: EventBus | None = None) -> Reparsed:
    table, reports = world.table, world.reports
    return reparse_scan(
        world.scan(scan_id),
        table=table,
        reports=reports,
        parse=partial(parse_again, scope=SCOPE, table=table, reports=reports),
        publish=partial(publish_again, table=table, reports=reports),
        bus=bus or NoBus(),
    )


def ids(world: World, scan_id: str) -> set[str]:
    return {finding.id for finding in world.table.findings(scan_id)}


def published_ids(world: World, scan_id: str) -> set[str]:
    return {finding["id"] for finding in json.loads(world.reports.objects[f"results/{scan_id}/findings.json"])}


def test_findings_counts_and_results_are_made_anew_and_nothing_else(world: World, scan_id: str) -> None:
    before = world.scan(scan_id)
    hosts, changes = deepcopy(world.table.hosts_by_address), deepcopy(world.table.changes_by_key)
    agenda, xml = set(world.table.agenda), world.reports.objects.pop(f"results/{scan_id}/nmap.xml")
    world.bus.events.clear()

    done = reparse(world, scan_id)

    assert (done.reports, done.added, done.removed, done.problems) == (4, 1, 1, ())
    assert STALE.id not in ids(world, scan_id)
    after = replace(before, findings_revision=1)
    assert world.scan(scan_id) == after  # the counts were right before the findings were shifted
    assert ids(world, scan_id) == published_ids(world, scan_id)
    assert done.findings == before.findings.count == len(ids(world, scan_id))
    assert world.reports.objects[f"results/{scan_id}/nmap.xml"] == xml
    assert read_end(world.reports, scan_id) == after
    assert (world.table.hosts_by_address, world.table.changes_by_key) == (hosts, changes)
    assert (world.table.agenda, world.bus.events) == (agenda, [])


def test_findings_are_what_they_were_when_the_report_was_recorded(world: World) -> None:
    scan_id = world.plan()
    world.finish(scan_id)
    before = list(world.table.findings(scan_id))
    done = reparse(world, scan_id)
    assert (done.added, done.removed) == (0, 0)
    assert list(world.table.findings(scan_id)) == before


def test_a_scan_with_members_has_their_findings_once_these_are_parsed_again(world: World, scan_id: str) -> None:
    parent_id = "p" * 16
    world.table.create_scan(replace(world.scan(scan_id), scan_id=parent_id, members=(scan_id,), findings=Counts()))
    reparse(world, scan_id)
    done = reparse(world, parent_id)
    assert (done.reports, done.added, done.removed, done.problems) == (0, 0, 0, ())
    assert published_ids(world, parent_id) == ids(world, scan_id)
    assert world.scan(parent_id).findings == world.scan(scan_id).findings
    assert f"results/{parent_id}/nmap.xml" not in world.reports.objects


def test_wrong_counts_are_corrected_also_of_a_scan_that_was_cancelled(world: World, scan_id: str) -> None:
    right = world.scan(scan_id).findings
    wrong = replace(world.scan(scan_id), state=ScanState.CANCELLED, findings=Counts(count=1))
    world.table.scans[scan_id] = wrong
    del world.reports.objects[f"results/{scan_id}/findings.json"]

    reparse(world, scan_id)

    assert world.scan(scan_id) == replace(wrong, findings=right, findings_revision=1)
    assert f"results/{scan_id}/findings.json" not in world.reports.objects  # it had no results


def test_the_severity_rules_in_force_apply(world: World, scan_id: str) -> None:
    assert world.scan(scan_id).findings.severities.get("(suppressed)", 0) == 0
    rules = read_severity_rules(SUPPRESSED)
    assert world.table.put_severity_rules(StoredRules(version=1, applied_at=NOW, text=SUPPRESSED, rules=rules))
    reparse(world, scan_id)
    assert world.scan(scan_id).findings.severities["(suppressed)"] > 0


def test_a_report_that_is_gone_keeps_its_findings_and_is_named(world: World, scan_id: str) -> None:
    del world.reports.objects[str(ReportKey(scan_id, 2, 1))]
    before, xml = ids(world, scan_id), world.reports.objects[f"results/{scan_id}/nmap.xml"]

    done = reparse(world, scan_id)

    assert done.problems == ("the report of shard 2 is gone",)
    assert (done.reports, done.added, done.removed) == (3, 1, 0)
    assert ids(world, scan_id) > before
    assert world.reports.objects[f"results/{scan_id}/nmap.xml"] == xml  # a new one would lack the shard
    assert world.scan(scan_id).findings.count == len(ids(world, scan_id))


def test_a_report_that_cannot_be_read_keeps_its_findings_and_is_named(world: World, scan_id: str) -> None:
    world.reports.objects[str(ReportKey(scan_id, 1, 1))] = b"this is no report"
    done = reparse(world, scan_id)
    (problem,) = done.problems
    assert problem.startswith("the report of shard 1 cannot be read: ")
    assert (done.reports, done.removed) == (3, 0)


def test_events_have_an_id_of_their_own_and_start_nothing(world: World, scan_id: str) -> None:
    recorded = {event.event_id for event in world.bus.events}
    bus = MemoryEventBus()

    reparse(world, scan_id, bus)

    assert [type(event) for event in bus.events] == [FindingsRecorded] * 4
    assert {event.event_id for event in bus.events}.isdisjoint(recorded)
    assert sum(event.findings.count for event in _recorded(bus)) == world.scan(scan_id).findings.count
    again = MemoryEventBus()
    reparse(world, scan_id, again)
    assert [event.event_id for event in again.events] == [event.event_id for event in bus.events]


def _recorded(bus: MemoryEventBus) -> Iterable[FindingsRecorded]:
    return (event for event in bus.events if isinstance(event, FindingsRecorded))


@pytest.mark.parametrize("calls", range(1, 30, 4))
def test_a_reparse_that_breaks_off_anywhere_is_completed_by_the_next(world: World, scan_id: str, calls: int) -> None:
    before, table = world.scan(scan_id), world.table
    failing = Failing(calls)
    vars(failing).update(vars(table))
    world.table = failing
    with suppress(ConnectionError):  # after the last call there is nothing to break off
        reparse(world, scan_id)
    failing.left = 1_000_000

    reparse(world, scan_id)

    assert replace(world.scan(scan_id), findings_revision=0) == before
    assert STALE.id not in ids(world, scan_id)
    assert ids(world, scan_id) == published_ids(world, scan_id)
    assert before.findings.count == len(ids(world, scan_id))


def test_a_scan_that_has_not_ended_or_has_no_reports_is_refused(world: World) -> None:
    running = world.scan(world.plan())
    assert find_reparse_refusal(running) == (
        f"scan {running.scan_id} is {running.state}: its reports can be parsed again once it has ended"
    )
    refused: Scan = replace(running, state=ScanState.ERRORED, shards=0, shards_open=0)
    assert "was refused" in find_reparse_refusal(refused)
    assert find_reparse_refusal(replace(running, state=ScanState.DONE, shards_open=0)) == ""


def test_a_scan_that_was_removed_meanwhile_is_named(world: World, scan_id: str) -> None:
    scan = world.table.scans.pop(scan_id)
    table, reports = world.table, world.reports
    done = reparse_scan(
        scan,
        table=table,
        reports=reports,
        parse=partial(parse_again, scope=SCOPE, table=table, reports=reports),
        publish=partial(publish_again, table=table, reports=reports),
        bus=NoBus(),
    )
    assert done.problems == ("the scan was removed while its reports were parsed",)
