"""Whose request it is: nothing that a message says of its own origin is believed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from cascan import cpu_limit
from cascan.errors import GatewayUnavailable
from cascan.gateways import ScanGateways
from cascan.ids import derive_keyed_scan_id, derive_scan_id
from cascan.limits import MAX_REASON_CHARS, MAX_REASONS
from cascan.model.request import ScanType
from cascan.model.scan import Scan, ScanState
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.rates import ScanDefaults
from on_scan_requested import bounded_work, plan_scan
from on_scan_requested.message import Message
from on_scan_requested.store_refusal import PlanningResult
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.fakes.cascades import MemoryIssuedRequests
from tests.support.builders import body, clock, event_names

ROOT, PARENT = derive_scan_id("a root"), derive_scan_id("a parent")
ORIGIN = {"parentScan": PARENT, "rootScan": ROOT, "rule": "tls", "causeId": "an event", "hop": 2}
CHILD_KEY = f"cascade/{PARENT}/tls/abc"
RUN_KEY = "schedule/nightly-1772368200"
RUN = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "Scan",
    "metadata": {
        "name": "nightly",
        "labels": {"cascan/schedule": "nightly"},
        "annotations": {"cascan/idempotency-key": RUN_KEY, "cascan/scheduled-name": "nightly-1772368200"},
    },
    "spec": {"scanType": "nmap", "parameters": ["-p22", "127.0.0.1"]},
}


@dataclass
class Office:
    """on_scan_requested over fakes."""

    issued: MemoryIssuedRequests = field(default_factory=MemoryIssuedRequests)
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    reports: MemoryReportStore = field(default_factory=MemoryReportStore)
    queues: MemoryShardQueues = field(default_factory=MemoryShardQueues)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)

    def submit(
        self, text: str, sender: str = "alice", message_id: str = "m-1", *, last: bool = False
    ) -> PlanningResult:
        return plan_scan.plan_scan(
            Message(message_id, text, sender),
            ScanGateways(self.table, self.queues, self.bus, clock),
            is_last_delivery=last,
            issued=self.issued,
            reports=self.reports,
            permissions=Permissions(Scope.of(["127.0.0.0/8"])),
            defaults=ScanDefaults(),
        )

    def scan(self, scan_id: str) -> Scan:
        return self.table.scans[scan_id]


@pytest.fixture
def office() -> Office:
    return Office()


def a_child(**fields: Any) -> str:
    return body(**{"targets": ["127.0.0.1"], "origin": ORIGIN, "idempotencyKey": CHILD_KEY} | fields)


# ---- provenance


def test_a_request_that_says_it_follows_from_a_scan_is_refused_under_an_id_of_its_own(office: Office) -> None:
    planned = office.submit(a_child())
    assert "origin: only requests of a cascade have it" in planned.refused
    assert planned.scan_id == derive_keyed_scan_id("alice", CHILD_KEY) != derive_scan_id(CHILD_KEY)
    assert (office.scan(planned.scan_id).hop, office.scan(planned.scan_id).cause_id) == (0, "m-1")


def test_a_cascades_own_request_is_planned_under_the_id_that_its_parent_knows(office: Office) -> None:
    text = a_child()
    office.issued.issue(derive_scan_id(CHILD_KEY), text)
    assert office.submit(a_child(), sender="mallory", message_id="m-0").refused == ""  # the very same bytes
    planned = office.submit(text)
    assert (planned.scan_id, planned.refused) == (derive_scan_id(CHILD_KEY), "")
    assert list(office.table.scans) == [planned.scan_id]
    assert (office.scan(planned.scan_id).hop, office.scan(planned.scan_id).cause_id) == (2, "an event")


def test_another_request_under_a_childs_key_does_not_take_its_place(office: Office) -> None:
    text = a_child()
    office.issued.issue(derive_scan_id(CHILD_KEY), text)
    forged = office.submit(a_child(targets=["127.0.0.9"]), sender="mallory", message_id="m-0")
    assert forged.refused
    assert forged.scan_id != derive_scan_id(CHILD_KEY)
    assert office.submit(text).refused == ""


def test_a_child_that_is_refused_is_stored_under_the_id_that_its_parent_knows(office: Office) -> None:
    text = a_child(targets=["8.8.8.8"])
    office.issued.issue(derive_scan_id(CHILD_KEY), text)
    planned = office.submit(text)
    assert planned.refused
    assert (planned.scan_id, office.scan(planned.scan_id).hop) == (derive_scan_id(CHILD_KEY), 2)


def test_a_child_of_another_version_is_planned_though_it_has_a_field_that_this_one_does_not_know(
    office: Office,
) -> None:
    text = a_child(fieldOfANewerVersion=True)
    office.issued.issue(derive_scan_id(CHILD_KEY), text)
    assert office.submit(text).refused == ""
    assert "fieldOfANewerVersion" in office.submit(text.replace(CHILD_KEY, "mine"), message_id="m-2").refused


def test_a_label_that_only_a_schedules_scans_have_is_refused(office: Office) -> None:
    planned = office.submit(body(targets=["127.0.0.1"], labels={"cascan/schedule": "nightly"}))
    assert "labels['cascan/schedule']" in planned.refused
    assert office.submit(json.dumps(RUN), message_id="m-2").refused


def test_a_key_that_looks_like_a_schedules_is_its_submitters_own(office: Office) -> None:
    planned = office.submit(body(targets=["127.0.0.1"], idempotencyKey=RUN_KEY))
    assert (planned.refused, planned.scan_id) == ("", derive_keyed_scan_id("alice", RUN_KEY))


# ---- one id on every path


@pytest.mark.parametrize(
    "spec", [{"parameters": ["-p22", "8.8.8.8"]}, {"parameters": ["-p22", "--nosuch", "127.0.0.1"]}, {"parameters": 5}]
)
def test_b2_a_schedules_refused_scan_is_stored_under_the_promised_id(office: Office, spec: dict[str, Any]) -> None:
    text = json.dumps(RUN | {"spec": {"scanType": "nmap"} | spec})
    office.issued.issue(derive_scan_id(RUN_KEY), text)
    planned = office.submit(text)
    assert planned.refused
    assert planned.scan_id == derive_scan_id(RUN_KEY)
    assert list(office.table.scans) == [derive_scan_id(RUN_KEY)]
    assert event_names(office.bus) == ["ScanFailed"]


def test_a_refused_request_with_a_key_is_stored_under_the_id_that_the_key_gives(office: Office) -> None:
    requests: list[dict[str, Any]] = [{"targets": ["8.8.8.8"]}, {"targets": [5]}, {"nosuch": 1}]
    for number, request in enumerate(requests):
        planned = office.submit(body(**request, idempotencyKey=f"k-{number}"), message_id=f"m-{number}")
        assert (bool(planned.refused), planned.scan_id) == (True, derive_keyed_scan_id("alice", f"k-{number}"))


def test_a_request_that_cannot_be_read_at_all_is_stored_under_the_id_that_its_message_gives(office: Office) -> None:
    assert office.submit("{").scan_id == derive_scan_id("m-1")


def test_a_refusal_delivered_again_is_the_same_and_another_request_under_its_key_says_that_it_was_refused(
    office: Office,
) -> None:
    text = body(targets=["8.8.8.8"], idempotencyKey="k")
    assert office.submit(text) == office.submit(text, message_id="m-2")
    other = office.submit(body(targets=["127.0.0.1"], idempotencyKey="k"), message_id="m-3")
    assert "which was refused; choose another key" in other.refused
    assert other.scan_id == derive_scan_id("m-3")
    assert event_names(office.bus) == ["ScanFailed", "ScanFailed"]


# ---- a key is its submitter's own


def test_a6_two_submitters_with_one_key_have_a_scan_each_and_hear_nothing_of_one_another(office: Office) -> None:
    first = office.submit(body(targets=["127.0.0.1"], idempotencyKey="weekly"), sender="AROA1:alice", message_id="m-1")
    second = office.submit(body(targets=["127.0.0.2"], idempotencyKey="weekly"), sender="AROA2:bob", message_id="m-2")
    assert (first.refused, second.refused) == ("", "")
    assert first.scan_id != second.scan_id


def test_a_key_cannot_be_chosen_so_that_it_means_another_submitters_or_a_message(office: Office) -> None:
    ids = {
        derive_keyed_scan_id("a", "b:c"),
        derive_keyed_scan_id("a:b", "c"),
        derive_keyed_scan_id("", "m-1"),
        derive_scan_id("m-1"),
        derive_scan_id("b:c"),
    }
    assert len(ids) == 5


# ---- what cannot be planned is refused, always


def test_a_request_that_takes_too_much_processor_time_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def for_ever(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(plan_scan, "plan_at_vantages", for_ever)
    monkeypatch.setattr(bounded_work, "PLANNING_SECONDS", 0.05)
    planned = office.submit(body(targets=["127.0.0.1"], scanType="nmap"))
    assert "processor time" in planned.refused
    request = office.scan(planned.scan_id).request
    assert request is not None
    assert request.scan_type is ScanType.NMAP
    assert office.scan(planned.scan_id).state is ScanState.ERRORED


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), ZeroDivisionError("no")])
def test_a_request_at_which_planning_breaks_is_refused_and_the_fault_is_called_ours(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(plan_scan, "plan_at_vantages", broken)
    planned = office.submit(body(targets=["127.0.0.1"]))
    assert f"{type(error).__name__}; this is a fault of cascan's" in planned.refused
    assert office.scan(planned.scan_id).refusals


def test_a_service_that_does_not_answer_is_no_reason_to_refuse(office: Office) -> None:
    office.table.down = True
    with pytest.raises(GatewayUnavailable):
        office.submit(body(targets=["127.0.0.1"]))
    office.table.down = False
    assert office.submit(body(targets=["127.0.0.1"])).refused == ""


def test_a_request_that_its_queue_gave_up_is_refused_without_being_planned_again_and_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_scan, "plan_at_vantages", lambda *_: pytest.fail("it was planned again"))
    text = body(targets=["127.0.0.1"], idempotencyKey="k")
    planned = office.submit(text, last=True)
    assert "never came to an end" in planned.refused
    assert planned.scan_id == derive_keyed_scan_id("alice", "k")
    assert office.reports.records_by_key[planned.scan_id, "request"] == text.encode()
    assert event_names(office.bus) == ["ScanFailed"]


def test_a_scan_that_was_stored_before_its_queue_gave_the_request_up_is_finished(office: Office) -> None:
    office.bus.down = True
    with pytest.raises(GatewayUnavailable):
        office.submit(body(targets=["127.0.0.1"]))
    office.bus.down = False
    planned = office.submit(body(targets=["127.0.0.1"]), last=True)
    assert planned.refused == ""
    assert office.scan(planned.scan_id).state is ScanState.SCANNING


def test_a_refusal_is_stored_whatever_its_reasons_quote(office: Office) -> None:
    planned = office.submit(body(targets=["127.0.0.1"], **{"x" * 50_000: 1, "y" * 50_000: 2}))
    scan = office.scan(planned.scan_id)
    assert len(scan.refusals) <= MAX_REASONS + 1
    assert max(len(refusal.reason) for refusal in scan.refusals) <= MAX_REASON_CHARS


def test_in_a_thread_that_is_not_the_main_one_there_is_no_limit_and_no_error() -> None:
    def work() -> str:
        with cpu_limit.cpu_limit(0.001):
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == "done"
