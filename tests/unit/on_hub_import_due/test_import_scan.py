"""A scan that ended → Security Hub: no duplicates, what is gone is archived, what was not covered stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.aws import boundary, clients
from cascan.aws.security_hub import SecurityHub
from cascan.errors import GatewayUnavailable, Rejected
from cascan.ids import ReportKey, derive_scan_id
from cascan.limits import MAX_IMPORT_TURNS
from cascan.model.exposure import Exposure, ExposureState, ExposureSubject
from cascan.model.finding import HostFindings, Severity
from cascan.model.inventory import HostUpdate
from cascan.model.scan import Scan
from on_hub_import_due.import_scan import ImportGateways, ImportSettings, import_scan
from on_hub_import_due.work import HubImportWork
from tests.support.hub_world import ACCOUNT, PLAIN, PRODUCT, WITH_SCRIPT, HubWorld, build_finding, run_rescans
from tests.support.security_hub import StrictSecurityHub

HOST = "10.0.0.1"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> StrictSecurityHub:
    strict = StrictSecurityHub(ACCOUNT)
    monkeypatch.setattr(clients, "securityhub", lambda: strict)
    monkeypatch.setattr(boundary, "sleep", lambda _seconds: None)
    return strict


@pytest.fixture
def world(hub: StrictSecurityHub) -> Iterator[HubWorld]:
    yield HubWorld(SecurityHub())
    assert len({finding["Id"] for finding in hub.findings.values()}) == len(hub.findings)


def titles(hub: StrictSecurityHub) -> list[str]:
    return sorted(finding["Title"] for finding in hub.active.values())


def scan_and_import(world: HubWorld, *ports: int, arguments: tuple[str, ...] = WITH_SCRIPT) -> Scan:
    scan = world.scan([HOST], ports, arguments)
    world.import_scan(scan)
    return scan


def test_a_hundred_rescans_leave_no_duplicate_and_close_what_is_gone(world: HubWorld, hub: StrictSecurityHub) -> None:
    expected = run_rescans(world, 100, seed=1)
    assert {finding["ProductFields"]["cascan/fingerprint"] for finding in hub.active.values()} == expected
    assert len(hub.findings) > len(expected) > 0


def test_a_closed_port_takes_its_findings_along(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80, "a flaw")
    world.open(HOST, 443)
    scan_and_import(world, 80, 443)
    assert titles(hub) == ["Open Port: 443", "Open Port: 80", "a flaw"]
    world.close(HOST, 80)
    scan = scan_and_import(world, 80, arguments=PLAIN)
    assert titles(hub) == ["Open Port: 443"]
    archived = [finding for finding in hub.findings.values() if finding["RecordState"] == "ARCHIVED"]
    assert scan.finished_at is not None
    assert {finding["UpdatedAt"][:19] for finding in archived} == {scan.finished_at.isoformat()[:19]}


def test_what_was_not_covered_stays(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80, "a flaw")
    world.open(HOST, 443, "another")
    world.open("10.0.0.2", 80)
    world.import_scan(world.scan([HOST, "10.0.0.2"], [80, 443]))
    before = titles(hub)
    world.close(HOST, 80)
    world.close("10.0.0.2", 80)
    scan_and_import(world, 443)  # not this port
    assert titles(hub) == before


def test_a_scan_without_the_script_does_not_close_what_the_script_found(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    world.open(HOST, 80, "a flaw")
    scan_and_import(world, 80)
    world.open(HOST, 80)
    for arguments in (PLAIN, ("-sV", "--script", "http-title"), (*WITH_SCRIPT, "--script-args", "mincvss=9")):
        scan_and_import(world, 80, arguments=arguments)
        assert titles(hub) == ["Open Port: 80", "a flaw"], arguments
    scan_and_import(world, 80, arguments=("-sV", "--script", "http-title,vulners"))
    assert titles(hub) == ["Open Port: 80"]


def test_a_host_that_ran_into_its_time_limit_closes_nothing(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80, "a flaw")
    scan_and_import(world, 80)
    world.open(HOST, 80)
    scan = world.scan([HOST], [80])
    finding = build_finding(scan.scan_id, HOST, 80, world.now)
    host = replace(finding, fingerprint="host", category="Host", severity=Severity.INFORMATIONAL, id="host",
                   attributes={"ip_addresses": [HOST], "timed_out": True})  # fmt: skip
    world.table.put_findings(scan.scan_id, [HostFindings(HOST, [finding, host])], ReportKey(scan.scan_id, 0, 1))
    world.import_scan(scan)
    assert titles(hub) == ["Open Port: 80", "a flaw"]


def test_a_repeated_delivery_changes_nothing(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80, "a flaw")
    first = scan_and_import(world, 80)
    world.open(HOST, 80)
    second = scan_and_import(world, 80)
    before = dict(hub.findings)
    for scan in (second, first, second):
        world.import_scan(scan)
    assert hub.findings == before


def test_a_late_delivery_neither_reopens_nor_adds(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80, "a flaw")
    late = world.scan([HOST], [80])
    world.close(HOST, 80)
    scan_and_import(world, 80)
    world.import_scan(late)
    assert titles(hub) == []


def test_a_late_delivery_adds_nothing_that_a_newer_scan_looked_for_and_did_not_see(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    world.open(HOST, 80, "a flaw")
    late = world.scan([HOST], [80])
    world.open(HOST, 80)
    scan_and_import(world, 80)
    world.import_scan(late)
    assert titles(hub) == ["Open Port: 80"]


def test_a_late_delivery_closes_what_it_saw_closed_though_the_port_is_open_again(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    world.open(HOST, 80, "a flaw")
    scan_and_import(world, 80)
    world.close(HOST, 80)
    world.open(HOST, 443)
    late = world.scan([HOST], [80])
    world.open(HOST, 80)
    scan_and_import(world, 80, arguments=PLAIN)
    world.import_scan(late)
    assert titles(hub) == ["Open Port: 80"]


def test_where_the_history_was_removed_the_inventory_says_which_scan_looked_last(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    world.open(HOST, 80, "a flaw")
    late = world.scan([HOST], [80])
    world.open(HOST, 80)
    scan_and_import(world, 80)
    number = int(ip_address(HOST))
    assert world.table.remove_history(4, number, number) > 0
    world.import_scan(late)
    assert titles(hub) == ["Open Port: 80"]


def test_what_was_decided_and_not_sent_is_sent_by_the_next_delivery(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    scan_and_import(world, 80)
    world.close(HOST, 80)
    scan = world.scan([HOST], [80])
    hub.failures = ["InternalException"]
    with pytest.raises(GatewayUnavailable):
        world.import_scan(scan)
    assert titles(hub) == ["Open Port: 80"]
    world.import_scan(scan)
    assert titles(hub) == []


def test_a_finding_of_a_host_is_imported_though_pn_does_not_tell_that_the_host_is_up(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    world.open(HOST, 80)
    scan_and_import(world, 80)
    (known,) = world.table.known_hosts([HOST]).values()
    scan = world.scan([HOST], [80])
    (record,) = world.table.known_hosts([HOST]).values()
    unsure = replace(record, latest=known.latest, revision=record.revision + 1)
    assert world.table.save_hosts(ReportKey(scan.scan_id, 0, 1), [HostUpdate(record=unsure, known=record)]) == []
    of_port = build_finding(scan.scan_id, HOST, 80, world.now)
    finding = replace(of_port, name="Outdated host", fingerprint="host", attributes={"ip_addresses": [HOST]})
    world.table.put_findings(scan.scan_id, [HostFindings(HOST, [of_port, finding])], ReportKey(scan.scan_id, 0, 1))
    world.import_scan(scan)
    assert "Outdated host" in titles(hub)


def test_of_a_late_delivery_what_no_newer_scan_looked_for_is_imported(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80, "a flaw")
    late = world.scan([HOST], [80])
    scan_and_import(world, 80, arguments=PLAIN)
    world.import_scan(late)
    assert titles(hub) == ["Open Port: 80", "a flaw"]


def test_a_finding_that_comes_back_is_active_again_and_keeps_its_birthday(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    world.open(HOST, 80)
    first = scan_and_import(world, 80)
    (created,) = (finding["CreatedAt"] for finding in hub.active.values())
    world.close(HOST, 80)
    scan_and_import(world, 80)
    world.open(HOST, 80)
    scan_and_import(world, 80)
    (finding,) = hub.active.values()
    assert finding["CreatedAt"] == created
    assert first.finished_at is not None
    assert created.startswith(first.finished_at.isoformat()[:19])
    assert finding["CreatedAt"] < finding["LastObservedAt"] <= finding["UpdatedAt"]


def test_an_older_end_never_moves_the_time_of_an_update_back(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    world.import_scan(world.scan([HOST], [80], ends_after=timedelta(hours=9)))
    (long,) = (finding["UpdatedAt"] for finding in hub.active.values())
    world.close(HOST, 80)
    scan_and_import(world, 80)  # looked later, and ended earlier
    (finding,) = hub.findings.values()
    assert (finding["RecordState"], finding["UpdatedAt"] > long) == ("ARCHIVED", True)


def test_less_severe_and_suppressed_findings_are_left_out_and_closed(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80, "a flaw")
    scan_and_import(world, 80)
    world.minimum = Severity.HIGH
    scan = world.scan([HOST], [80])
    flaw = build_finding(scan.scan_id, HOST, 80, world.now, "a flaw")
    suppressed = replace(flaw, attributes=flaw.attributes | {"suppressed": "known"})
    world.table.put_findings(scan.scan_id, [HostFindings(HOST, [suppressed])], ReportKey(scan.scan_id, 0, 1))
    world.import_scan(scan)
    assert titles(hub) == []
    assert len(hub.findings) == 2


def test_an_exposure_makes_an_open_port_severe_enough(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.minimum = Severity.MEDIUM
    world.open(HOST, 80)
    subject = ExposureSubject(vantage="default", address=HOST, kind="unexpected-open", protocol="tcp", port=80)
    exposure = Exposure(
        exposure_id="e", subject=subject, state=ExposureState.OPEN, severity=Severity.HIGH, line=3, revision=1
    )
    assert world.table.put_exposure(exposure)
    scan_and_import(world, 80)
    (finding,) = hub.active.values()
    assert (finding["Severity"]["Label"], finding["Compliance"]["Status"]) == ("HIGH", "FAILED")


def test_secrets_are_left_out(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    scan = world.scan([HOST], [80])
    plain = build_finding(scan.scan_id, HOST, 80, world.now, "Default account")
    attributes: dict[str, Any] = {"script": "http-default-accounts", "serviceProduct": "admin:hunter2"}
    finding = replace(plain, attributes=plain.attributes | attributes)
    world.table.put_findings(scan.scan_id, [HostFindings(HOST, [finding])], ReportKey(scan.scan_id, 0, 1))
    world.import_scan(scan)
    assert titles(hub) == ["Default account"]
    assert "hunter2" not in str(hub.findings)


def test_calls_have_at_most_a_hundred_findings_and_a_failing_one_is_repeated(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    for port in range(1, 251):
        world.open(HOST, port)
    scan = world.scan([HOST], range(1, 251))
    hub.failures = ["ThrottlingException"]
    with pytest.raises(GatewayUnavailable, match="Throttling"):
        world.import_scan(scan)
    outcome = world.import_scan(scan)
    assert (outcome.active, hub.calls) == (250, [100, 100, 50])
    assert len(hub.active) == 250


def test_a_finding_that_fails_for_a_moment_is_sent_again_alone(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    world.open(HOST, 81)
    scan_and_import(world, 80)
    (first,) = hub.findings
    hub.calls.clear()
    hub.refusals[first] = 2
    scan_and_import(world, 80, 81)
    assert hub.calls == [2, 1, 1]
    hub.refusals[first] = 99
    with pytest.raises(GatewayUnavailable, match="1 findings were not taken: InternalError"):
        scan_and_import(world, 80, 81)


def test_a_refused_finding_is_named_and_does_not_stop_the_others(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    scan_and_import(world, 80)
    (first,) = hub.findings
    hub.refused[first] = "InvalidInput"
    world.open(HOST, 81)
    outcome = world.import_scan(world.scan([HOST], [80, 81]))
    assert [(failure.finding_id, failure.code) for failure in outcome.refused] == [(first, "InvalidInput")]
    assert len(hub.active) == 2


def test_a_finding_that_makes_a_whole_call_invalid_is_found_and_the_others_are_imported(
    world: HubWorld, hub: StrictSecurityHub
) -> None:
    for port in range(80, 100):
        world.open(HOST, port)
    scan = world.scan([HOST], range(80, 100))
    world.import_scan(scan)
    hub.invalid = {sorted(hub.findings)[7]}
    hub.findings.clear()
    outcome = world.import_scan(scan)
    assert [(failure.finding_id, failure.code) for failure in outcome.refused] == [
        (*hub.invalid, "InvalidInputException")
    ]
    assert len(hub.active) == 19


def test_an_import_that_another_was_faster_with_decides_again(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    scan = world.scan([HOST], [80])
    world.sent.conflicts = 2
    world.import_scan(scan)
    assert len(hub.active) == 1
    world.sent.conflicts = 99
    with pytest.raises(GatewayUnavailable, match="other imports were faster"):
        world.import_scan(scan)


def test_a_host_has_a_limit_and_its_most_severe_findings_are_imported(
    world: HubWorld, hub: StrictSecurityHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("on_hub_import_due.choose_imports.MAX_IMPORTED_PER_HOST", 2)
    for port in (80, 81, 82):
        world.open(HOST, port)
    world.open(HOST, 83, "a flaw")
    outcome = world.import_scan(world.scan([HOST], [80, 81, 82, 83]))
    assert (outcome.active, outcome.left_out) == (2, 3)
    assert "a flaw" in titles(hub)


def test_a_turn_without_time_sends_the_rest_on(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    scan = world.scan([HOST], [80])
    gateways = ImportGateways(world.table, world.sent, world.hub, world.queue, lambda: world.now)
    settings = ImportSettings(PRODUCT, Severity.LOW)
    work = HubImportWork(scan_id=scan.scan_id, cause_id="ended")
    assert import_scan(work, gateways, settings, left_s=lambda: 3.0).is_continued
    (body,) = world.queue.sent
    again = HubImportWork.read(body)
    assert (again.vantage, again.after, again.turns) == ("default", HOST, 1)
    hub.calls.clear()
    import_scan(again, gateways, settings)
    assert hub.calls == []
    with pytest.raises(Rejected, match="more than 1000 turns"):
        import_scan(replace(work, turns=MAX_IMPORT_TURNS), gateways, settings, left_s=lambda: 3.0)


def test_a_removed_scan_and_one_with_members_are_left_alone(world: HubWorld, hub: StrictSecurityHub) -> None:
    world.open(HOST, 80)
    scan = world.scan([HOST], [80])
    parent = replace(scan, scan_id=derive_scan_id("parent"), members=("a", "b"))
    assert world.table.create_scan(parent)
    world.import_scan(parent)
    world.import_scan(replace(scan, scan_id=derive_scan_id("removed")))
    assert hub.calls == []
