"""Hosts whose looks are judged: what becomes an exposure, and what becomes of it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.exposure.life import acknowledge
from cascan.exposure_updates.judge_hosts import ReportNews
from cascan.exposure_updates.store_moves import announce_moves, change_exposure
from cascan.model.exposure import Acknowledgement, Exposure
from cascan.model.finding import Finding, Severity
from cascan.model.scan import Scan
from cascan.rules.severity import Acceptance, Override, SeverityRule
from tests.fakes import MemoryScanTable
from tests.support.builders import a_request, a_scan
from tests.unit.cascan.exposure_updates.conftest import FILE, HOST, NOON, Place


def test_a_port_that_nothing_expects_is_opened_confirmed_and_resolved(place: Place) -> None:
    place.look(0, [23, 443])
    outcome = place.judge()
    assert [exposure.subject.port for exposure in outcome.opened] == [23]
    place.look(1, [23, 443])
    place.judge()
    place.look(2, [443])
    place.judge()
    assert place.states() == {"23 unexpected-open": "confirmed"}
    place.look(3, [443])
    place.judge()
    assert place.states() == {"23 unexpected-open": "resolved"}
    assert place.events == ["Opened", "Confirmed", "Resolved"]


def test_the_events_of_a_look_have_the_name_labels_and_requester_of_its_scan_which_is_read_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = place.look(0, [22, 23, 443])
    scan = a_scan(
        scan_id=report.scan_id, name="dmz", request=a_request(labels={"team": "soc"}), requested_by="AIDAEXAMPLE"
    )
    place.table.create_scan(scan)
    read: list[str] = []

    def get_scan(table: MemoryScanTable, scan_id: str) -> Scan | None:
        read.append(scan_id)
        return table.scans.get(scan_id)

    monkeypatch.setattr(MemoryScanTable, "get_scan", get_scan)
    place.judge()

    described = [(event.scan_id, event.name, event.labels, event.requested_by) for event in place.bus.events]
    assert described == [(report.scan_id, "dmz", {"team": "soc"}, "AIDAEXAMPLE")] * 2
    assert read == [report.scan_id]


def test_the_events_of_a_look_whose_scan_is_removed_leave_these_fields_empty(place: Place) -> None:
    report = place.look(0, [23, 443])
    place.judge()
    (event,) = place.bus.events
    assert (event.scan_id, event.name, event.labels, event.requested_by) == (report.scan_id, "", {}, "")


def test_the_requester_of_a_decision_is_the_person_also_when_the_move_of_a_look_is_announced_with_it(
    place: Place,
) -> None:
    report = place.look(0, [23, 443])
    place.table.create_scan(a_scan(scan_id=report.scan_id, name="dmz", requested_by="AIDAEXAMPLE"))
    place.bus.down = True
    with pytest.raises(GatewayUnavailable):
        place.judge()
    place.bus.down = False
    ann = Acknowledgement(by="AIDAANN", at=NOON, why="known")
    exposure = change_exposure(place.table, place.find("unexpected-open"), lambda stored: acknowledge(stored, ann))

    announce_moves(place.table, place.bus, [exposure])

    described = [(event.name, event.requested_by) for event in place.bus.events]
    assert described == [("dmz", "AIDAEXAMPLE"), ("", "AIDAANN")]


def test_a_turn_that_is_repeated_changes_nothing(place: Place) -> None:
    place.look(0, [23])
    place.judge()
    stored, events = dict(place.table.exposures), list(place.events)
    assert place.judge().moves == []
    assert (place.table.exposures, place.events) == (stored, events)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_reports_may_be_recorded_in_any_order(order: tuple[int, ...], place: Place) -> None:
    seen = [[23], [23], [], [23]]
    for hour in order:
        place.look(hour, [*seen[hour], 443])
        place.judge()
    assert place.states() == {"23 unexpected-open": "confirmed"}
    ids = [event.event_id for event in place.bus.events]
    assert len(ids) == len(set(ids))


def test_an_exposure_says_why_and_whose_it_is(place: Place) -> None:
    place.look(0, [23])
    place.judge()
    exposure = place.find("unexpected-open")
    assert exposure.sentence == "tcp/23 is open; line 6 of the exposure file does not list this port"
    assert (exposure.line, exposure.owner, exposure.hostname) == (6, "payments@example.com", "web.example.com")
    assert exposure.severity is Severity.HIGH


def test_a_required_port_that_is_closed_is_missing_and_a_host_that_is_gone_absent(place: Place) -> None:
    for hour in range(2):
        place.look(hour)
        place.judge()
    assert place.states() == {"443 missing": "confirmed"}
    for hour in range(2, 4):
        place.look(hour, is_up=False)
        place.judge()
    assert place.states() == {"443 missing": "resolved", "443 absent": "confirmed"}


def test_another_service_is_seen_only_by_looks_that_probe(place: Place) -> None:
    place.look(0, [443], service="ssh")
    place.judge()
    place.look(1, [443])  # without -sV
    place.judge()
    assert place.states() == {"443 other-service": "open"}
    place.look(2, [443], service="ssh")
    place.judge()
    assert place.states() == {"443 other-service": "confirmed"}


def test_a_look_that_does_not_cover_the_port_resolves_nothing(place: Place) -> None:
    for hour in range(2):
        place.look(hour, [23, 443])
    place.judge()
    for hour in range(2, 5):
        place.look(hour, [443], covered="400-500")
        place.judge()
    assert place.states() == {"23 unexpected-open": "confirmed"}


def test_vantages_are_judged_apart(place: Place) -> None:
    place.look(0, [23], vantage="office")
    place.judge()
    assert place.states() == {}
    place.judge(vantage="office")
    assert place.find("unexpected-open").subject.vantage == "office"


def test_a_new_file_judges_earlier_looks_anew(place: Place) -> None:
    for hour in range(2):
        place.look(hour, [23, 443])
    place.judge()
    place.judge(FILE.replace("[443]", "[23, 443]").replace(" service: https,", ""), version=2)
    assert place.states() == {"23 unexpected-open": "resolved"}
    place.judge(FILE, version=3)
    assert place.states() == {"23 unexpected-open": "confirmed"}


def test_an_entry_that_expired_expects_nothing(place: Place) -> None:
    text = FILE.replace("why: front end", "until: 2026-11-02")
    for hour in range(2):
        place.look(hour, [443], service="https")
    place.judge(text)
    assert place.states() == {}
    place.now = NOON + timedelta(days=1)
    place.judge(text)
    assert place.states() == {"443 unexpected-open": "confirmed"}
    assert "which has passed" in place.find("unexpected-open").sentence


# ---- changes and findings


def test_a_change_becomes_an_exposure_where_the_file_says_so(place: Place) -> None:
    text = FILE.replace("confirm: true", "changes: true")
    key = place.look(0, [443])
    news = ReportNews(opened={(HOST, ("tcp", 443))}, key=key)
    place.judge(news=news)
    assert place.states() == {}
    place.judge(text, version=2, news=news)
    assert place.states() == {"443 change": "open"}
    for hour in (1, 2, 3):
        place.look(hour, [443] if hour == 1 else [])
        place.judge(text, version=2)
    assert place.states()["443 change"] == "resolved"


def a_finding(severity: Severity = Severity.HIGH, **attributes: Any) -> Finding:
    return Finding(
        id="f",
        fingerprint="f",
        parsed_at=NOON,
        name="Weak cipher",
        description="",
        category="Weak TLS Cipher",
        severity=severity,
        osi_layer="PRESENTATION",
        location=f"tcp://{HOST}:443",
        attributes={"ip_addresses": [HOST], "port": 443, "protocol": "tcp"} | attributes,
    )


def test_a_finding_of_the_named_severity_becomes_an_exposure(place: Place) -> None:
    text = FILE.replace("confirm: true", "findings: medium")
    key = place.look(0, [443], service="https")
    for finding in (a_finding(Severity.LOW), a_finding(suppressed="not ours")):
        place.judge(text, news=ReportNews(findings={HOST: [finding]}, key=key))
    assert place.states() == {}
    place.judge(text, news=ReportNews(findings={HOST: [a_finding(Severity.MEDIUM)]}, key=key))
    exposure = place.find("finding:Weak TLS Cipher")
    assert (exposure.sentence, exposure.severity, exposure.subject.port) == ("Weak cipher", Severity.MEDIUM, 443)


# ---- severity rules


def a_rule(**fields: Any) -> SeverityRule:
    return SeverityRule(name="lab", any_of=({"category": "Exposure", "attributes": {"port": 23}},), **fields)


def test_a_severity_rule_changes_the_severity(place: Place) -> None:
    place.rules = (a_rule(override=Override(severity=Severity.LOW)),)
    place.look(0, [23, 443])
    place.judge()
    exposure = place.find("unexpected-open")
    assert (exposure.severity, exposure.severity_rules) == (Severity.LOW, ("lab",))
    assert place.bus.events[0].severity is Severity.LOW  # type: ignore[attr-defined]


def test_a_severity_rule_accepts(place: Place) -> None:
    place.rules = (a_rule(accept=Acceptance(date(2026, 12, 1), "agreed")),)
    place.look(0, [23, 443])
    place.judge()
    assert place.states() == {"23 unexpected-open": "accepted"}
    assert place.events == ["Opened", "Accepted"]
    place.rules = ()
    place.judge()
    assert place.states() == {"23 unexpected-open": "open"}


def test_a_suppressed_exposure_is_not_announced(place: Place) -> None:
    place.rules = (a_rule(suppress="a honeypot"),)
    for hour in range(2):
        place.look(hour, [23, 443])
        place.judge()
    assert place.states() == {"23 unexpected-open": "accepted"}
    assert place.events == []


# ---- failures


def test_a_move_whose_event_was_lost_is_announced_by_the_next_turn(place: Place) -> None:
    place.look(0, [23, 443])
    place.bus.down = True
    with pytest.raises(GatewayUnavailable):
        place.judge()
    assert place.find("unexpected-open").pending
    place.bus.down = False
    place.judge()
    assert place.events == ["Opened"]
    assert not place.find("unexpected-open").pending


def test_of_two_writers_none_is_lost(place: Place) -> None:
    place.look(0, [23, 443])
    place.judge()
    read_before = place.find("unexpected-open")
    ann = Acknowledgement(by="ann", at=NOON)
    change_exposure(place.table, read_before, lambda exposure: acknowledge(exposure, ann))
    place.look(1, [23, 443])
    place.judge()
    stale = change_exposure(place.table, read_before, lambda exposure: acknowledge(exposure, ann))
    assert stale.acknowledgement == ann
    assert len(stale.looks) == 2


class Contended(MemoryScanTable):
    def put_exposure(self, exposure: Exposure) -> bool:
        return False


def test_a_writer_that_is_never_fast_enough_gives_up(place: Place) -> None:
    place.table = Contended()
    place.look(0, [23, 443])
    with pytest.raises(GatewayUnavailable, match="other writers"):
        place.judge()
