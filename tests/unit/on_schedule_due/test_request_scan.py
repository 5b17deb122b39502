"""A schedule that is due starts its scan once, unless something stands against it; what it leaves is bounded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from cascan.events import ScheduleSkipped
from cascan.events.control import ControlRequested
from cascan.forms import read_request
from cascan.ids import derive_scan_id, digest_body
from cascan.model.agenda import AgendaTask
from cascan.model.scan import Counts, ScanState
from cascan.schedules.due import Kind, ScheduleDue
from on_schedule_due.request_scan import RequestOutcome, ScheduleContext, request_scan
from tests.fakes import MemoryEventBus, MemoryScanTable
from tests.fakes.cascades import MemoryIssuedRequests, MemoryRequestQueue
from tests.fakes.schedules import MemoryScheduleTable
from tests.support.builders import NOW, a_scan, event_names

HOUR = timedelta(hours=1)


@dataclass
class Office:
    """The gateways in memory, and a clock that is set by hand."""

    now: datetime = NOW
    schedules: MemoryScheduleTable = field(default_factory=MemoryScheduleTable)
    scans: MemoryScanTable = field(default_factory=MemoryScanTable)
    issued: MemoryIssuedRequests = field(default_factory=MemoryIssuedRequests)
    requests: MemoryRequestQueue = field(default_factory=MemoryRequestQueue)
    controls: MemoryRequestQueue = field(default_factory=MemoryRequestQueue)
    again: MemoryRequestQueue = field(default_factory=MemoryRequestQueue)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)

    def apply(self, **spec: Any) -> None:
        plain = {"interval": "1h", "scanSpec": {"scanType": "nmap", "parameters": ["127.0.0.1"]}}
        document = {
            "apiVersion": "execution.securecodebox.io/v1",
            "kind": "ScheduledScan",
            "metadata": {"name": "nightly"},
            "spec": plain | spec,
        }
        self.schedules.put_schedule("nightly", document)

    def due(self, at: datetime | None = None, kind: Kind = Kind.DUE, retry: int = 0) -> RequestOutcome:
        self.now = max(self.now, at or NOW)
        context = ScheduleContext(
            self.schedules,
            self.scans,
            self.issued,
            self.requests,
            self.controls,
            self.again,
            self.bus,
            clock=lambda: self.now,
        )
        return request_scan(ScheduleDue(schedule="nightly", due_at=at or NOW, kind=kind, retry=retry), context)

    def run(self, at: datetime, state: ScanState = ScanState.DONE, findings: int = 0) -> str:
        """A scan of the schedule, as far as `state`."""
        scan_id = self.due(at).scan_id
        self.plan(scan_id, at, state, findings)
        return scan_id

    def plan(self, scan_id: str, at: datetime, state: ScanState, findings: int = 0) -> None:
        finished_at = at + timedelta(minutes=5)
        self.scans.scans[scan_id] = a_scan(
            scan_id=scan_id, name="nightly", state=state, finished_at=finished_at, findings=Counts(count=findings)
        )

    def removed(self) -> list[str]:
        """Scans that are to go, in no order."""
        return sorted(entry.scan_id for entry in self.scans.agenda if entry.task is AgendaTask.EXPIRE)


@pytest.fixture
def office() -> Office:
    return Office()


def test_s7_a_scan_is_asked_for_under_the_schedules_name_and_the_time_it_was_due(office: Office) -> None:
    office.apply()
    office.now = NOW + timedelta(seconds=42)  # it came late
    answered = office.due()
    request = read_request(office.requests.sent[0], is_issued=True).request
    assert answered.outcome == "asked"
    assert request.name == "nightly"
    assert answered.scan_id == derive_scan_id(request.idempotency_key)
    assert request.annotations["cascan/scheduled-name"] == f"nightly-{int(NOW.timestamp())}"


def test_s7_the_same_time_twice_is_one_scan_also_when_the_manifest_changed_in_between(office: Office) -> None:
    office.apply()
    office.due()
    office.apply(scanSpec={"scanType": "nmap", "parameters": ["-sV", "127.0.0.1"]})
    office.due()
    assert len(set(office.requests.sent)) == 1


def test_s4_allow_starts_beside_one_that_runs(office: Office) -> None:
    office.apply()
    office.run(NOW, ScanState.SCANNING)
    assert office.due(NOW + HOUR).outcome == "asked"
    assert len(office.requests.sent) == 2


def test_s4_forbid_passes_a_time_over_says_so_once_and_tries_again_after_a_minute(office: Office) -> None:
    office.apply(concurrencyPolicy="Forbid")
    running = office.run(NOW, ScanState.SCANNING)
    assert office.due(NOW + HOUR).outcome == "running"
    assert office.due(NOW + HOUR, retry=1).outcome == "running"
    (skipped,) = office.bus.events
    assert isinstance(skipped, ScheduleSkipped)
    assert (skipped.kind, skipped.retried, running in skipped.reason) == ("running", True, True)
    assert office.again.delays_s == [60, 60]
    office.plan(running, NOW, ScanState.DONE)
    assert office.due(NOW + HOUR, retry=2).outcome == "asked"


def test_s4_a_time_that_was_passed_over_is_given_up_when_the_next_one_is_due(office: Office) -> None:
    office.apply(concurrencyPolicy="Forbid")
    office.run(NOW, ScanState.SCANNING)
    office.due(NOW + HOUR)
    office.due(NOW + 2 * HOUR)
    office.again.sent.clear()
    assert office.due(NOW + HOUR, retry=1).outcome == "overtaken"
    assert office.again.sent == []


def test_s4_forbid_counts_a_scan_that_was_asked_for_and_is_not_planned_yet_but_not_for_ever(office: Office) -> None:
    office.apply(interval="1m", concurrencyPolicy="Forbid")
    office.due(NOW)
    assert office.due(NOW + timedelta(minutes=1)).outcome == "running"
    assert office.due(NOW + timedelta(minutes=16)).outcome == "asked"


def test_s4_replace_cancels_the_one_that_runs_and_starts(office: Office) -> None:
    office.apply(concurrencyPolicy="Replace")
    running = office.run(NOW, ScanState.SCANNING)
    answered = office.due(NOW + HOUR)
    assert (answered.outcome, answered.cancelled) == ("asked", 1)
    asked = ControlRequested.from_wire(office.controls.sent[0])
    assert (asked.action, asked.scan_id, asked.by) == ("cancel", running, "schedule nightly")


def test_s4_replace_delivered_twice_cancels_once_and_never_the_scan_that_it_started(office: Office) -> None:
    office.apply(concurrencyPolicy="Replace")
    earlier = office.run(NOW, ScanState.SCANNING)
    office.run(NOW + HOUR, ScanState.SCANNING)
    office.due(NOW + HOUR)
    assert [ControlRequested.from_wire(body).scan_id for body in office.controls.sent] == [earlier]


def test_s4_replace_waits_until_the_earlier_scan_is_planned_and_can_be_cancelled(office: Office) -> None:
    office.apply(interval="1m", concurrencyPolicy="Replace")
    earlier = office.due(NOW).scan_id
    later = NOW + timedelta(minutes=1)
    assert office.due(later).outcome == "waits"
    office.plan(earlier, NOW, ScanState.SCANNING)
    assert office.due(later, retry=1).outcome == "asked"
    assert len(office.controls.sent) == 1


def test_s5_a_suspended_schedule_starts_nothing_and_leaves_what_runs(office: Office) -> None:
    office.apply()
    office.run(NOW, ScanState.SCANNING)
    office.apply(suspend=True)
    assert office.due(NOW + HOUR).outcome == "suspended"
    assert (len(office.requests.sent), office.controls.sent, office.bus.events) == (1, [], [])


def test_s6_a_changed_scan_type_starts_one_scan_at_once_even_if_the_message_repeats(office: Office) -> None:
    office.apply(retriggerOnScanTypeChange=True)
    office.run(NOW)
    changed_at = NOW + timedelta(minutes=7)
    assert [office.due(changed_at, Kind.RETRIGGER).outcome for _ in range(2)] == ["asked", "asked"]
    assert len(set(office.requests.sent)) == 2
    assert office.due(NOW + HOUR).outcome == "asked"  # its own times go on as before


def test_s6_a_changed_scan_type_starts_nothing_without_retrigger_or_while_suspended(
    office: Office,
) -> None:
    office.apply()
    assert office.due(kind=Kind.RETRIGGER).outcome == "unasked"
    office.apply(retriggerOnScanTypeChange=True, suspend=True)
    assert office.due(kind=Kind.RETRIGGER).outcome == "suspended"
    assert office.requests.sent == []


def test_s6_a_changed_scan_type_minds_the_blackout_and_the_scan_that_runs(office: Office) -> None:
    office.apply(retriggerOnScanTypeChange=True, concurrencyPolicy="Forbid", blackoutDates=["2026-03-02"])
    running = office.run(NOW, ScanState.SCANNING)
    changed_at = NOW + timedelta(minutes=7)
    assert office.due(changed_at, Kind.RETRIGGER).outcome == "running"
    office.plan(running, NOW, ScanState.DONE)
    again = ScheduleDue.from_wire(office.again.sent[0], NOW + timedelta(minutes=10))
    assert again
    assert (office.due(again.due_at, again.kind, again.retry).outcome, again.kind) == ("asked", Kind.RETRIGGER)
    assert office.due(NOW + 24 * HOUR, Kind.RETRIGGER).outcome == "blackout"


def test_s6_a_scan_that_came_after_the_change_is_enough(office: Office) -> None:
    office.apply(retriggerOnScanTypeChange=True)
    office.run(NOW + HOUR)
    assert office.due(NOW + HOUR - timedelta(seconds=30), Kind.RETRIGGER).outcome == "overtaken"


def test_a_person_may_run_it_now_also_while_it_is_suspended(office: Office) -> None:
    office.apply(suspend=True)
    assert office.due(kind=Kind.RUN_NOW).outcome == "asked"


def test_nothing_starts_on_a_blackout_date_and_an_event_says_so(office: Office) -> None:
    office.apply(blackoutDates=["2026-03-01"])
    assert office.due(NOW).outcome == "blackout"
    assert (office.requests.sent, event_names(office.bus)) == ([], ["ScheduleSkipped"])
    assert office.due(NOW, kind=Kind.RUN_NOW).outcome == "asked"


def test_a_time_of_a_deleted_schedule_starts_nothing(office: Office) -> None:
    assert office.due().outcome == "deleted"


def test_a_message_that_comes_after_that_of_a_later_time_starts_nothing(office: Office) -> None:
    office.apply()
    office.due(NOW + HOUR)
    assert office.due(NOW).outcome == "overtaken"


def test_s3_ended_scans_beyond_the_limits_are_removed_the_oldest_first_each_kind_by_itself(office: Office) -> None:
    office.apply(successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1)
    done = [office.run(NOW + hours * HOUR) for hours in range(3)]
    failed = [office.run(NOW + hours * HOUR, ScanState.ERRORED) for hours in (3, 4)]
    assert office.due(NOW + 4 * HOUR, Kind.SETTLE).outcome == "settled"
    assert office.removed() == sorted([done[0], failed[0]])


def test_s3_a_limit_of_0_removes_a_scan_when_it_ends(office: Office) -> None:
    office.apply(successfulJobsHistoryLimit=0)
    scan_id = office.run(NOW)
    office.due(NOW, Kind.SETTLE)
    assert office.removed() == [scan_id]


def test_s3_a_removed_scan_does_not_come_back_when_its_message_comes_again(office: Office) -> None:
    office.apply(successfulJobsHistoryLimit=0)
    scan_id = office.run(NOW)
    office.due(NOW, Kind.SETTLE)
    del office.scans.scans[scan_id]
    office.due(NOW, Kind.SETTLE)
    office.requests.sent.clear()
    office.due(NOW)
    assert office.requests.sent == []


def test_s3_a_scan_that_runs_is_not_removed(office: Office) -> None:
    office.apply(successfulJobsHistoryLimit=0, failedJobsHistoryLimit=0)
    office.run(NOW, ScanState.SCANNING)
    office.due(NOW, Kind.SETTLE)
    assert office.removed() == []


def test_a_scan_whose_results_are_being_published_is_looked_at_again(office: Office) -> None:
    office.apply(successfulJobsHistoryLimit=0)
    scan_id = office.run(NOW, ScanState.HOOK_PROCESSING)
    assert office.due(NOW, Kind.SETTLE).outcome == "waits"
    (again,) = office.again.sent
    assert office.again.delays_s == [10]
    assert json.loads(again)["retry"] == 1
    assert office.due(NOW, Kind.SETTLE, retry=90).outcome == "settled"  # no for ever
    assert (office.removed(), scan_id in office.scans.scans) == ([], True)


def test_runs_whose_scans_are_gone_are_forgotten(office: Office) -> None:
    office.apply(successfulJobsHistoryLimit=1)
    for hours in range(5):
        office.run(NOW + hours * HOUR)
        office.due(NOW + hours * HOUR, Kind.SETTLE)
        for gone in office.removed():
            office.scans.scans.pop(gone, None)
    assert len(office.schedules.runs_by_key) <= 2


def test_s8_the_status_has_the_last_time_and_the_findings_of_the_latest_successful_scan(office: Office) -> None:
    office.apply()
    good = office.run(NOW, findings=7)
    office.run(NOW + HOUR, ScanState.ERRORED, findings=1)
    office.due(NOW + HOUR, Kind.SETTLE)
    status = office.schedules.status("nightly")
    assert status.last_schedule_time == NOW + HOUR
    assert status.last_result
    assert (status.last_result.scan_id, status.last_result.findings.count) == (good, 7)


def test_a_schedule_that_another_version_stored_is_gone_on_with_and_its_scan_is_judged_where_it_is_planned(
    office: Office,
) -> None:
    office.apply(fieldOfANewerVersion=True, scanSpec={"scanType": "nmap", "parameters": ["--nosuch", "127.0.0.1"]})
    answered = office.due()
    assert answered.outcome == "asked"
    assert office.issued.was_issued(answered.scan_id, digest_body(office.requests.sent[0]))
