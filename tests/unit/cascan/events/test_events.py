"""The messages on the wire: their exact JSON, what is refused, and what a user's rule can match on."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.events.models import EventPattern
from msgspec.structs import replace

from cascan.errors import MalformedMessage
from cascan.events import (
    BUS_EVENTS,
    BusEvent,
    ChangeCounts,
    ExposureAccepted,
    ExposureAcknowledged,
    ExposureConfirmed,
    ExposureEvent,
    ExposureExpiring,
    ExposureOpened,
    ExposureReopened,
    ExposureResolved,
    ExposureWithdrawn,
    FindingsRecorded,
    HostAppeared,
    HostGone,
    HostMoved,
    HostQuarantined,
    Message,
    MessageReady,
    PortClosed,
    PortOpened,
    ReportStored,
    ScanCancelled,
    ScanCompleted,
    ScanFailed,
    ScanPlanned,
    ScanResumed,
    ScanSuspended,
    ScheduleSkipped,
    ServiceChanged,
    ShardQueued,
    WorkersWanted,
    parse_event,
)
from cascan.ids import ReportKey
from cascan.model.exposure import ExposureState
from cascan.model.finding import Severity
from cascan.model.inventory import Sighting
from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.scan import Counts, Outcome, ScanState
from cascan_cli.local.template import read_template
from tests.data.envelopes.build import bus_event, object_created, recorded

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
SCAN_ID = "abcdefghijklmnop"
DOCUMENT = (Path(__file__).parents[4] / "docs" / "events.md").read_text(encoding="utf-8")
COUNTS = Counts(count=3, severities={"HIGH": 1, "INFORMATIONAL": 2}, categories={"Open Port": 3})
REASONS = Reasons.of(
    [Reason.of(ReasonCode.HOST_TIMED_OUT, "10.0.0.7", "10.0.0.7 ran into --host-timeout and has no ports")],
    {ReasonCode.HOST_TIMED_OUT: 2},
).at_shard(1)
REASONS_ON_WIRE = {
    "counts": {"host-timed-out": 3},
    "listed": [
        {
            "code": "host-timed-out",
            "subject": "10.0.0.7",
            "sentence": "10.0.0.7 ran into --host-timeout and has no ports",
            "shard": 1,
        }
    ],
}
NO_REASONS_ON_WIRE: dict[str, Any] = {"counts": {}, "listed": []}
COUNTS_ON_WIRE = {"count": 3, "severities": {"HIGH": 1, "INFORMATIONAL": 2}, "categories": {"Open Port": 3}}
CARRIED: dict[str, Any] = {"scan_id": SCAN_ID, "cause_id": "a message", "hop": 1}
TOLD = CARRIED | {
    "event_id": "an event",
    "at": AT,
    "name": "office-lan",
    "labels": {"team": "soc"},
    "requested_by": "AROA1234567890EXAMPLE:ada",
    "vantage": "office",
}
EXPOSED: dict[str, Any] = {
    "exposure_id": "q5h2ya7w3kd6mzt4",
    "kind": "unexpected-open",
    "address": "10.0.0.9",
    "hostname": "",
    "protocol": "tcp",
    "port": 23,
    "state": ExposureState.OPEN,
    "severity": Severity.HIGH,
    "owner": "payments@example.com",
    "sentence": "tcp/23 is open",
    "line": 12,
    "episode": 1,
    "first_seen": AT,
    "last_seen": None,
    "report_key": "",
    "by": "",
    "why": "",
    "until": date(2026, 12, 31),
}
EXPOSED_ON_WIRE = EXPOSED | {
    "state": "open",
    "severity": "HIGH",
    "first_seen": "2026-03-01T12:30:15.123456Z",
    "until": "2026-12-31",
}
EXPOSURE_EVENTS: tuple[type[ExposureEvent], ...] = (
    ExposureOpened,
    ExposureConfirmed,
    ExposureAcknowledged,
    ExposureAccepted,
    ExposureResolved,
    ExposureWithdrawn,
    ExposureReopened,
    ExposureExpiring,
)
TOLD_ON_WIRE = TOLD | {"version": 1, "at": "2026-03-01T12:30:15.123456Z"}
ON_HOST: dict[str, Any] = {"shard": 1, "report_key": "a key", "address": "10.0.0.5", "hostname": "db.example"}
MOVED: dict[str, Any] = {"identity": "mac:52:54:00:12:34:56", "previous_address": "10.0.0.7"}
ON_PORT = ON_HOST | {"protocol": "tcp", "port": 22}
CLOSED = Sighting(state="closed", seen_at=AT, scan_id="earlier")
CLOSED_ON_WIRE = {"state": "closed", "seen_at": TOLD_ON_WIRE["at"], "scan_id": "earlier"}
OPEN = Sighting(state="open", seen_at=LATER, scan_id=SCAN_ID, service="ssh", product="OpenSSH", probed=True)
OPEN_ON_WIRE: dict[str, Any] = {
    "state": "open",
    "seen_at": "2026-03-01T13:00:00Z",
    "scan_id": SCAN_ID,
    "service": "ssh",
}
OPEN_ON_WIRE |= {"product": "OpenSSH", "probed": True}
WIRE: tuple[tuple[Message, dict[str, Any]], ...] = (
    (
        ShardQueued(**CARRIED, shard=7, token="abc", trace_id="1-2"),
        CARRIED | {"version": 1, "shard": 7, "token": "abc", "trace_id": "1-2"},
    ),
    (
        ScanPlanned(**TOLD, scan_type="nmap", addresses=512, shards=2, lanes={"connect": 2}),
        TOLD_ON_WIRE | {"scan_type": "nmap", "addresses": 512, "shards": 2, "lanes": {"connect": 2}},
    ),
    (
        HostQuarantined(
            **TOLD,
            shard=1,
            report_key=f"reports/{SCAN_ID}/000001/2.xml",
            count=2,
            addresses=("10.0.0.9", "::1"),
            reason="10.0.0.9 was not asked for",
        ),
        TOLD_ON_WIRE
        | {"shard": 1, "report_key": f"reports/{SCAN_ID}/000001/2.xml", "count": 2}
        | {"addresses": ["10.0.0.9", "::1"], "reason": "10.0.0.9 was not asked for"},
    ),
    *(
        (
            kind(**TOLD, **ON_PORT, before=CLOSED, after=OPEN),
            TOLD_ON_WIRE | ON_PORT | {"before": CLOSED_ON_WIRE, "after": OPEN_ON_WIRE},
        )
        for kind in (PortOpened, PortClosed, ServiceChanged)
    ),
    *(
        (
            kind(**TOLD, **ON_HOST, before=CLOSED, after=OPEN),
            TOLD_ON_WIRE | ON_HOST | {"before": CLOSED_ON_WIRE, "after": OPEN_ON_WIRE},
        )
        for kind in (HostAppeared, HostGone)
    ),
    (
        HostMoved(**TOLD, **ON_HOST, **MOVED, before=CLOSED, after=OPEN),
        TOLD_ON_WIRE | ON_HOST | MOVED | {"before": CLOSED_ON_WIRE, "after": OPEN_ON_WIRE},
    ),
    (
        FindingsRecorded(
            **TOLD,
            shard=1,
            report_key=f"reports/{SCAN_ID}/000001/2.xml",
            outcome=Outcome.TIMED_OUT,
            hosts_up=4,
            findings=COUNTS,
            changes=ChangeCounts(kinds={"PortOpened": 2}, baseline={"HostAppeared": 1}, announced=2),
            reasons=REASONS,
        ),
        TOLD_ON_WIRE
        | {"changes": {"kinds": {"PortOpened": 2}, "baseline": {"HostAppeared": 1}, "announced": 2}}
        | {"shard": 1, "report_key": f"reports/{SCAN_ID}/000001/2.xml", "outcome": "timed-out", "hosts_up": 4}
        | {"findings": COUNTS_ON_WIRE, "reasons": REASONS_ON_WIRE, "exposures": False},
    ),
    (
        ScanCompleted(
            **TOLD,
            state=ScanState.PARSE_COMPLETED,
            outcome=Outcome.PARTIAL,
            requested_at=AT,
            finished_at=LATER,
            addresses=512,
            shards=2,
            shard_outcomes={"complete": 1, "failed": 1},
            hosts_up=4,
            findings=COUNTS,
            changes={"PortOpened": 2},
            reasons=REASONS,
        ),
        TOLD_ON_WIRE
        | {"cascades": True, "reasons": REASONS_ON_WIRE, "changes": {"PortOpened": 2}, "members": [], "cost": None}
        | {"state": "ParseCompleted", "outcome": "partial", "requested_at": "2026-03-01T12:30:15.123456Z"}
        | {"finished_at": "2026-03-01T13:00:00Z", "addresses": 512, "shards": 2}
        | {"shard_outcomes": {"complete": 1, "failed": 1}, "hosts_up": 4, "findings": COUNTS_ON_WIRE},
    ),
    (
        ScanFailed(**TOLD, reason="no host", refused=True),
        TOLD_ON_WIRE | {"reason": "no host", "refused": True, "reasons": NO_REASONS_ON_WIRE},
    ),
    (ScanSuspended(**TOLD), TOLD_ON_WIRE),
    (ScanResumed(**TOLD, lanes={"raw": 3}), TOLD_ON_WIRE | {"lanes": {"raw": 3}}),
    (
        ScanCancelled(**TOLD, reason="cancelled by soc"),
        TOLD_ON_WIRE | {"reason": "cancelled by soc", "reasons": NO_REASONS_ON_WIRE},
    ),
    (
        ScheduleSkipped(
            **TOLD,
            schedule="nightly",
            due_at=datetime(2026, 3, 1, tzinfo=UTC),
            kind="blackout",
            reason="x",
            retried=False,
        ),
        TOLD_ON_WIRE
        | {"schedule": "nightly", "due_at": "2026-03-01T00:00:00Z", "kind": "blackout", "reason": "x"}
        | {"retried": False},
    ),
    *((kind(**TOLD, **EXPOSED), TOLD_ON_WIRE | EXPOSED_ON_WIRE) for kind in EXPOSURE_EVENTS),
    (
        MessageReady(**TOLD, channel="team", thread="exposure/a", title="Confirmed", document={"text": "Confirmed"}),
        TOLD_ON_WIRE
        | {"channel": "team", "thread": "exposure/a", "title": "Confirmed", "document": {"text": "Confirmed"}},
    ),
)
NAMES = [type(message).__name__ for message, _ in WIRE]
KINDS = [type(message) for message, _ in WIRE]
ON_THE_BUS = [message for message, _ in WIRE if isinstance(message, BusEvent)]
COMPLETED = next(message for message in ON_THE_BUS if isinstance(message, ScanCompleted))


@pytest.mark.parametrize(("message", "wire"), WIRE, ids=NAMES)
class TestMessages:
    def test_a_message_has_this_shape_on_the_wire(self, message: Message, wire: dict[str, Any]) -> None:
        assert json.loads(message.to_wire()) == wire

    def test_a_message_comes_back_as_it_went(self, message: Message, wire: dict[str, Any]) -> None:
        assert type(message).from_wire(message.to_wire()) == message
        assert type(message).from_wire(message.to_wire().encode()) == message

    def test_a_field_nobody_knows_is_passed_over(self, message: Message, wire: dict[str, Any]) -> None:
        assert type(message).from_wire(json.dumps(wire | {"added later": [1]})) == message

    @pytest.mark.parametrize("version", [0, 2, "1", None])
    def test_another_version_is_refused(self, message: Message, wire: dict[str, Any], version: object) -> None:
        with pytest.raises(MalformedMessage, match=r"version"):
            type(message).from_wire(json.dumps(wire | {"version": version}))

    def test_a_missing_or_misread_field_is_refused_by_its_name(self, message: Message, wire: dict[str, Any]) -> None:
        have_defaults = {
            "hop",
            "version",
            "labels",
            "requested_by",
            "vantage",
            "cost",
            "members",
            "changes",
            "cascades",
            "reasons",
            "token",
            "trace_id",
            "exposures",
        }
        for field in wire.keys() - have_defaults:
            with pytest.raises(MalformedMessage, match=f"missing required field `{field}`"):
                type(message).from_wire(json.dumps({name: wire[name] for name in wire if name != field}))
        for field in wire:
            with pytest.raises(MalformedMessage, match=re.escape(f"`$.{field}")):
                type(message).from_wire(json.dumps(wire | {field: [None]}))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64) | st.text(st.characters(codec="utf-8"), max_size=64))
def test_whatever_stands_in_a_body_it_is_malformed_and_nothing_worse(body: bytes | str) -> None:
    for kind in KINDS:
        with pytest.raises(MalformedMessage):
            kind.from_wire(body)
    with pytest.raises(MalformedMessage):
        ReportStored.from_wire(body)
    with pytest.raises(MalformedMessage):
        parse_event(body, ScanCompleted)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_envelope_is_read_or_malformed_and_nothing_worse(data: st.DataObject) -> None:
    body = bytearray(json.dumps(data.draw(st.sampled_from([bus_event(COMPLETED), object_created("key")]))).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MalformedMessage):
        assert isinstance(ReportStored.from_wire(bytes(body)), ReportStored)
    with suppress(MalformedMessage):
        assert isinstance(parse_event(bytes(body), ScanCompleted), ScanCompleted)


class TestEnvelopes:
    @pytest.mark.parametrize("event", ON_THE_BUS, ids=[type(event).__name__ for event in ON_THE_BUS])
    def test_an_event_is_found_in_its_envelope(self, event: BusEvent) -> None:
        assert parse_event(json.dumps(bus_event(event)), type(event)) == event

    def test_an_event_of_another_name_or_source_is_malformed(self) -> None:
        envelope = bus_event(COMPLETED)
        with pytest.raises(MalformedMessage, match="cascan/ScanCompleted is not cascan/ScanFailed"):
            parse_event(json.dumps(envelope), ScanFailed)
        with pytest.raises(MalformedMessage, match="somebody/ScanCompleted is not cascan/ScanCompleted"):
            parse_event(json.dumps(envelope | {"source": "somebody"}), ScanCompleted)

    def test_a_stored_report_is_read_from_what_s3_says(self) -> None:
        key = ReportKey(SCAN_ID, 3, 2)
        stored = ReportStored.from_wire(json.dumps(object_created(str(key), 17)))
        assert (stored.report, stored.bucket, stored.size) == (key, "report-bucket", 17)
        assert stored.event_id == recorded("object-created")["id"]

    @pytest.mark.parametrize("change", [{"source": "cascan"}, {"detail-type": "Object Deleted"}, {"detail": {}}])
    def test_another_event_is_no_stored_report(self, change: dict[str, Any]) -> None:
        with pytest.raises(MalformedMessage):
            ReportStored.from_wire(json.dumps(object_created("key") | change))

    def test_a_planned_and_a_resumed_scan_alone_tell_how_many_shards_wait(self) -> None:
        told = {type(event).__name__: WorkersWanted.from_wire(bus_event(event)).planned for event in ON_THE_BUS}
        assert {name: lanes for name, lanes in told.items() if lanes} == {
            "ScanPlanned": {"connect": 2},
            "ScanResumed": {"raw": 3},
        }
        assert [WorkersWanted.from_wire(other).planned for other in (recorded("tick"), stopped(), {})] == [{}] * 3

    @pytest.mark.parametrize("stop_code", ["SpotInterruption", "TaskFailedToStart"])
    def test_a_worker_that_spot_took_back_or_had_no_room_for_says_so(self, stop_code: str) -> None:
        assert WorkersWanted.from_wire(stopped(stopCode=stop_code, capacityProviderName="FARGATE_SPOT")).spot_is_short
        assert not WorkersWanted.from_wire(stopped(stopCode=stop_code, capacityProviderName="FARGATE")).spot_is_short

    def test_a_worker_that_ended_by_itself_says_nothing_of_spot(self) -> None:
        assert not WorkersWanted.from_wire(stopped(capacityProviderName="FARGATE_SPOT")).spot_is_short

    @pytest.mark.parametrize(
        ("detail", "failed"),
        [
            ({"stoppedAt": "2026-03-01T12:32:40.117Z"}, True),
            ({"stoppedAt": "2026-03-01T12:32:40.118Z"}, False),  # a minute old: the tick would be no slower
            ({"stoppedAt": ""}, True),
            ({"stoppedAt": "2026-03-01T12:31:41Z", "containers": [{"name": "worker", "exitCode": 0}]}, False),
            ({"stoppedAt": "2026-03-01T12:31:41Z", "containers": [{"name": "sidecar", "exitCode": 9}]}, False),
            ({"stoppedAt": "2026-03-01T12:31:41Z", "stopCode": "TaskFailedToStart", "containers": []}, True),
        ],
    )
    def test_a_worker_that_failed_within_a_minute_says_so(self, detail: dict[str, Any], failed: bool) -> None:
        assert WorkersWanted.from_wire(stopped(**detail)).failed_at_once is failed

    def test_a_worker_that_failed_at_once_carries_the_reasons_of_ecs(self) -> None:
        container = {"name": "worker", "exitCode": 3, "reason": "OutOfMemoryError"}
        detail = {"stoppedAt": "", "stoppedReason": "Essential container in task exited", "containers": [container]}
        wakeup = WorkersWanted.from_wire(stopped(**detail))
        assert wakeup.stopped_reason == "Essential container in task exited; OutOfMemoryError; exit code 3"

    def test_a_worker_that_spot_had_no_room_for_has_not_failed(self) -> None:
        detail = {"stopCode": "TaskFailedToStart", "stoppedAt": "", "capacityProviderName": "FARGATE_SPOT"}
        assert not WorkersWanted.from_wire(stopped(**detail)).failed_at_once


def stopped(**detail: Any) -> dict[str, Any]:
    envelope = recorded("task-stopped")
    return envelope | {"detail": envelope["detail"] | detail}


def matches(pattern: dict[str, Any], event: BusEvent) -> bool:
    envelope: Any = bus_event(event)
    return EventPattern.load(json.dumps(pattern)).matches_event(envelope)


class TestRules:
    @pytest.mark.parametrize(
        ("detail", "hit"),
        [
            ({"name": [{"prefix": "office"}]}, True),
            ({"name": ["home-lan"]}, False),
            ({"labels": {"team": ["soc"]}}, True),
            ({"labels": {"team": ["red"]}}, False),
            ({"outcome": ["partial", "timed-out"]}, True),
            ({"outcome": [{"anything-but": ["partial"]}]}, False),
            ({"findings": {"severities": {"HIGH": [{"numeric": [">=", 1]}]}}}, True),
            ({"findings": {"severities": {"HIGH": [{"numeric": [">", 1]}]}}}, False),
            ({"hop": [0]}, False),
        ],
    )
    def test_a_rule_can_match_on_name_labels_outcome_and_counts(self, detail: dict[str, Any], *, hit: bool) -> None:
        assert matches({"source": ["cascan"], "detail-type": ["ScanCompleted"], "detail": detail}, COMPLETED) is hit


class TestDocument:
    EXAMPLES = tuple(json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))
    RULES = tuple(re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))

    def test_every_event_has_one_example_which_parses_and_shows_every_field(self) -> None:
        assert [example["detail-type"] for example in self.EXAMPLES] == [kind.__name__ for kind in BUS_EVENTS]
        for example, kind in zip(self.EXAMPLES, BUS_EVENTS, strict=True):
            event = parse_event(json.dumps(example), kind)
            assert json.loads(event.to_wire()) == example["detail"]

    def test_every_field_and_every_outcome_is_explained(self) -> None:
        prose = re.sub(r"```.*?```", "", DOCUMENT, flags=re.DOTALL)
        names = {field for kind in BUS_EVENTS for field in kind.__struct_fields__} - {"requested_at", "finished_at"}
        assert {name for name in {*names, *Outcome} if f"`{name}`" not in prose} == set()

    def test_the_example_rules_match_what_they_say(self, tmp_path: Path) -> None:
        path = tmp_path / "rules.yaml"
        path.write_text("Resources:\n" + re.sub("^", "  ", "".join(self.RULES), flags=re.MULTILINE), encoding="utf-8")
        rules = read_template(path)["Resources"]
        serious, incomplete = (rule["Properties"]["EventPattern"] for rule in rules.values())
        complete = replace(COMPLETED, outcome=Outcome.COMPLETE, findings=Counts())
        failed = ScanFailed(**TOLD, reason="no host", refused=False)
        assert [matches(serious, event) for event in (COMPLETED, complete, failed)] == [True, False, False]
        assert [matches(incomplete, event) for event in (COMPLETED, complete, failed)] == [True, False, True]


@pytest.mark.parametrize("body", ["\ud800", "[" * 100_000, '{"a":' * 100_000])
def test_bytes_that_break_the_decoder_itself_are_malformed_too(body: str) -> None:
    with pytest.raises(MalformedMessage):
        ShardQueued.from_wire(body)
    with pytest.raises(MalformedMessage):
        ReportStored.from_wire(body)
