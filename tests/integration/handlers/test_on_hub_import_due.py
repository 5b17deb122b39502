"""on_hub_import_due: the findings of a scan that ended are in Security Hub; what fails is parked with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.aws import clients
from cascan.aws.security_hub import SecurityHub
from cascan.events import ScanCompleted, build_event_fields
from cascan.model.scan import Counts, Outcome, Scan
from on_hub_import_due.work import HubImportWork
from tests.data.envelopes.build import Envelope, bus_event, sqs_event
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import HUB_PRODUCT, Stack
from tests.support.hub_world import HubWorld
from tests.support.security_hub import StrictSecurityHub, find_faults

HOST, ACCOUNT = "10.0.0.1", "123456789012"


@pytest.fixture
def on_hub_import_due(cold_start: ColdStart) -> Function:
    return cold_start("on_hub_import_due")


@pytest.fixture
def world(stack: Stack) -> HubWorld:
    world = HubWorld(SecurityHub(), table=stack.table)
    world.open(HOST, 80, "a flaw")
    world.open(HOST, 443)
    return world


def announce(scan: Scan) -> Envelope:
    assert scan.finished_at is not None
    event = ScanCompleted(
        **build_event_fields(scan, at=scan.finished_at),
        event_id="ended",
        state=scan.state,
        outcome=Outcome.COMPLETE,
        requested_at=scan.requested_at,
        finished_at=scan.finished_at,
        addresses=1,
        shards=1,
        shard_outcomes={},
        hosts_up=1,
        findings=Counts(),
    )
    return sqs_event(bus_event(event))


def list_findings() -> list[dict[str, Any]]:
    return [dict(finding) for finding in clients.securityhub().get_findings()["Findings"]]


def list_active() -> list[str]:
    return sorted(finding["Title"] for finding in list_findings() if finding["RecordState"] == "ACTIVE")


def test_the_findings_of_a_scan_are_imported_and_archived_when_they_are_gone(
    world: HubWorld, stack: Stack, on_hub_import_due: Function
) -> None:
    first = announce(world.scan([HOST], [80, 443]))
    assert on_hub_import_due.failed(first) == []
    assert list_active() == ["Open Port: 443", "Open Port: 80", "a flaw"]
    assert all(finding["ProductArn"] == HUB_PRODUCT for finding in list_findings())

    world.close(HOST, 80)
    assert on_hub_import_due.failed(announce(world.scan([HOST], [80, 443]))) == []
    assert list_active() == ["Open Port: 443"]
    assert len(list_findings()) == 3

    before = list_findings()
    assert on_hub_import_due.failed(first) == []  # delivered late once more
    assert list_findings() == before
    assert stack.received("imports") == stack.received("imports-dead") == []


def test_a_stricter_minimum_imports_less(world: HubWorld, cold_start: ColdStart) -> None:
    on_hub_import_due = cold_start("on_hub_import_due", MINIMUM_SEVERITY="HIGH")
    assert on_hub_import_due.failed(announce(world.scan([HOST], [80, 443]))) == []
    (finding,) = list_findings()
    sent = {name: value for name, value in finding.items() if name not in ("Region", "ProcessedAt")}
    assert (sent["Title"], find_faults(sent, ACCOUNT)) == ("a flaw", [])


def test_refused_findings_are_parked_with_what_security_hub_said_and_may_be_sent_back(
    world: HubWorld, stack: Stack, on_hub_import_due: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = StrictSecurityHub(ACCOUNT)
    monkeypatch.setattr(clients, "securityhub", lambda: hub)
    scan = world.scan([HOST], [80, 443])
    assert on_hub_import_due.failed(announce(scan)) == []
    (flaw,) = (finding_id for finding_id, finding in hub.findings.items() if finding["Title"] == "a flaw")

    hub.refused[flaw] = "InvalidInput"
    hub.findings.clear()
    assert on_hub_import_due.failed(announce(scan)) == []
    (parked,) = stack.received("imports-dead")
    assert "Security Hub refused 1 findings" in parked["messageAttributes"]["reason"]
    assert "InvalidInput" in parked["messageAttributes"]["reason"]
    assert len(hub.findings) == 2

    hub.refused.clear()
    assert on_hub_import_due.failed(sqs_event(parked["body"])) == []
    assert flaw in hub.findings


def test_a_hub_that_is_not_enabled_returns_the_message_to_its_queue(
    world: HubWorld, stack: Stack, on_hub_import_due: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = StrictSecurityHub(ACCOUNT)
    hub.failures = ["InvalidAccessException"]
    monkeypatch.setattr(clients, "securityhub", lambda: hub)
    event = announce(world.scan([HOST], [80]))
    assert len(on_hub_import_due.failed(event)) == 1
    assert on_hub_import_due.failed(event) == []
    assert len(hub.active) == 2


def test_a_turn_without_time_sends_the_rest_on(world: HubWorld, stack: Stack, on_hub_import_due: Function) -> None:
    scan = world.scan([HOST], [80])
    assert on_hub_import_due.failed(announce(scan), remaining_s=5.0) == []
    (sent,) = stack.received("imports")
    assert HubImportWork.read(sent["body"]).after == HOST


def test_a_message_that_is_no_end_of_a_scan_returns_to_its_queue(stack: Stack, on_hub_import_due: Function) -> None:
    assert len(on_hub_import_due.failed(sqs_event("not JSON"))) == 1
