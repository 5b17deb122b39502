"""ScheduledScan manifests of secureCodeBox, with what is ours beyond; and what a schedule means at a moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from cascan.errors import MalformedMessage, RequestRefused
from cascan.forms import read_request
from cascan.model.schedule import Concurrency
from cascan.schedules.due import Kind, ScheduleDue, build_run_request, build_target_input, next_times, run_scan_id
from cascan.schedules.form import parse_interval, read_schedule
from tests.support.builders import NOW


def a_manifest(**spec: Any) -> dict[str, Any]:
    plain = {"interval": "24h", "scanSpec": {"scanType": "nmap", "parameters": ["-p", "22", "127.0.0.1"]}}
    return {
        "apiVersion": "execution.securecodebox.io/v1",
        "kind": "ScheduledScan",
        "metadata": {
            "name": "nightly",
            "labels": {"team": "blue"},
            "annotations": {
                "scope.cascading.securecodebox.io/cidr": "127.0.0.0/8",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "evil.example/securecodebox.io": "no",
            },
        },
        "spec": {name: value for name, value in (plain | spec).items() if value is not None},
    }


def refusals(**spec: Any) -> str:
    with pytest.raises(RequestRefused) as refused:
        read_schedule(a_manifest(**spec))
    return "\n".join(refused.value.reasons)


def test_s1_a_manifest_has_an_interval_of_go_or_a_cron_of_five_fields() -> None:
    assert read_schedule(a_manifest()).interval_minutes == 1440
    assert read_schedule(a_manifest(interval=None, schedule="30 2 * * *")).cron == "30 2 * * *"


def test_s1_neither_interval_nor_cron_is_an_error() -> None:
    assert "neither interval nor schedule" in refusals(interval=None)


def test_s1_the_cron_wins_where_both_are_there_and_a_note_says_so() -> None:
    schedule = read_schedule(a_manifest(schedule="30 2 * * *"))
    assert (schedule.cron, schedule.interval_minutes) == ("30 2 * * *", 0)
    assert "spec.interval has no effect here" in schedule.notes[0]


@pytest.mark.parametrize(
    ("text", "minutes"), [("12h", 720), ("1h30m", 90), ("90m", 90), ("3600s", 60), ("1.5h", 90), ("60000ms", 1)]
)
def test_s1_an_interval_is_a_duration_of_go(text: str, minutes: int) -> None:
    assert parse_interval(text) == minutes


@pytest.mark.parametrize("text", ["", "1d", "12", "h", "12h ", "-1h", "30s", "90s", "0h", "1h30", "99999h"])
def test_s1_a_duration_that_is_not_of_whole_minutes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|minutes|longer"):
        parse_interval(text)


@pytest.mark.parametrize(
    ("line", "minutes"),
    [("@every 5m", 5), ("@every 1h30m", 90), ("TZ=Europe/Berlin @every 24h", 1440), (" @every  300s ", 5)],
)
def test_c5_every_is_an_interval_whose_first_scan_starts_when_it_is_over(line: str, minutes: int) -> None:
    schedule = read_schedule(a_manifest(interval=None, schedule=line))
    assert (schedule.cron, schedule.interval_minutes, schedule.starts_at_once) == ("", minutes, False)
    assert next(next_times(schedule, NOW, NOW)) == NOW + timedelta(minutes=minutes)
    assert read_schedule(a_manifest()).starts_at_once


@pytest.mark.parametrize("name", ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"])
def test_c5_the_named_times_of_cron_are_read(name: str) -> None:
    assert next(next_times(read_schedule(a_manifest(interval=None, schedule=name)), NOW, NOW)) > NOW


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("@every", "not a duration"),
        ("@every 30s", "not a whole number of minutes"),
        ("@every day", "not a duration"),
        ("@reboot", "@daily, @midnight, @hourly and @every"),
        ("@every " + "1" * 100_000, "not a duration"),
        ("*," * 2_000 + "* * * * *", "characters are more than"),
    ],
)
def test_c5_an_invalid_time_is_refused_with_its_field(line: str, says: str) -> None:
    reason = refusals(interval=None, schedule=line)
    assert reason.startswith("spec.schedule: ")
    assert says in reason


@pytest.mark.parametrize(("prefix", "is_said"), [("TZ=UTC", True), ("CRON_TZ=UTC", True), ("TZ=Europe/Berlin", False)])
def test_a_zone_in_front_of_the_cron_wins_over_time_zone_and_a_note_says_so(prefix: str, is_said: bool) -> None:
    schedule = read_schedule(a_manifest(interval=None, schedule=f"{prefix} 0 5 * * *", timeZone="Europe/Berlin"))
    assert schedule.time_zone == prefix.partition("=")[2]
    assert ["spec.timeZone has no effect here" in note for note in schedule.notes] == [True] * is_said


def test_s3_s4_s5_limits_policy_and_suspension_are_those_of_secure_code_box() -> None:
    plain = read_schedule(a_manifest())
    assert (plain.successful_limit, plain.failed_limit) == (3, 3)  # 3 as documented, where the code had 1
    assert (plain.concurrency, plain.suspend) == (Concurrency.ALLOW, False)
    said = read_schedule(a_manifest(successfulJobsHistoryLimit=0, failedJobsHistoryLimit=1, concurrencyPolicy="Forbid"))
    assert (said.successful_limit, said.failed_limit, said.concurrency) == (0, 1, Concurrency.FORBID)
    assert "Allow, Forbid, Replace" in refusals(concurrencyPolicy="Never")


def test_s6_a_retrigger_on_change_of_the_scan_type_is_off_unless_the_manifest_says_so() -> None:
    assert not read_schedule(a_manifest()).retrigger
    wished = read_schedule(a_manifest(retriggerOnScanTypeChange=True))
    assert (wished.retrigger, wished.notes) == (True, ())


def test_s7_labels_are_copied_and_of_annotations_only_those_of_secure_code_box() -> None:
    request = read_request(json.dumps(build_run_request(read_schedule(a_manifest()), NOW)), is_issued=True).request
    assert request.labels == {"team": "blue", "cascan/schedule": "nightly"}
    assert request.annotations == {
        "scope.cascading.securecodebox.io/cidr": "127.0.0.0/8",
        "cascan/idempotency-key": f"schedule/nightly-{int(NOW.timestamp())}",
        "cascan/scheduled-name": f"nightly-{int(NOW.timestamp())}",
    }


def test_s7_the_same_time_is_the_same_scan_and_the_series_has_the_schedules_name() -> None:
    schedule = read_schedule(a_manifest())
    requests = [read_request(json.dumps(build_run_request(schedule, NOW)), is_issued=True).request for _ in range(2)]
    assert requests[0] == requests[1]
    assert requests[0].name == "nightly"
    assert run_scan_id(schedule, NOW) != run_scan_id(schedule, NOW + timedelta(minutes=1))


def test_an_annotation_that_narrows_what_scripts_may_do_is_not_lost() -> None:
    manifest = a_manifest()
    ours = {"cascan/policy-profile": "safe", "cascan/retry-timed-out": "true"}
    manifest["metadata"]["annotations"] |= ours
    assert ours.items() <= read_schedule(manifest).annotations.items()


def test_a_scan_that_would_be_refused_is_refused_with_the_schedule() -> None:
    assert "spec.scanSpec.scanType" in refusals(scanSpec={"scanType": "zap", "parameters": ["127.0.0.1"]})
    assert "no target" in refusals(scanSpec={"scanType": "nmap", "parameters": ["-p", "22"]})


def test_a_request_in_the_short_form_takes_the_place_of_the_scan_spec_with_its_windows() -> None:
    request = {"targets": ["127.0.0.1"], "authorization": "CHG-1"}
    schedule = read_schedule(a_manifest(scanSpec=None, request=request, windows=["22:00-06:00"]))
    asked = read_request(json.dumps(build_run_request(schedule, NOW)), is_issued=True).request
    assert (asked.targets, asked.authorization, asked.windows) == (("127.0.0.1",), "CHG-1", ("22:00-06:00",))
    assert "exactly one" in refusals(request=request)
    assert "spec.request.idempotencyKey" in refusals(scanSpec=None, request=request | {"idempotencyKey": "x"})


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"timeZone": "Mars/Base"}, "spec.timeZone: 'Mars/Base'"),
        ({"timeZone": "../../etc/passwd"}, "spec.timeZone"),
        ({"blackoutDates": ["tomorrow"]}, "spec.blackoutDates[0]: 'tomorrow' is not a date"),
        ({"blackoutDates": ["2026-12-24..2026-12-01"]}, "ends before it begins"),
        ({"windows": ["late"]}, "windows[0]"),
        ({"flexibleMinutes": 1441}, "spec.flexibleMinutes"),
        ({"schedule": "61 * * * *"}, "spec.schedule: minute"),
        ({"schedul": "* * * * *"}, "did you mean schedule"),
    ],
)
def test_problems_are_reported_with_their_paths(spec: dict[str, Any], sentence: str) -> None:
    assert sentence in refusals(**spec)


def test_names_that_scheduler_could_not_carry_are_refused() -> None:
    manifest = a_manifest()
    manifest["metadata"]["name"] = "n" * 61
    with pytest.raises(RequestRefused, match=r"metadata\.name"):
        read_schedule(manifest)


# ---- what it means at a moment


def test_s2_with_a_cron_the_first_run_is_the_next_match() -> None:
    schedule = read_schedule(a_manifest(schedule="30 2 * * *"))
    assert next(next_times(schedule, NOW, NOW)) == datetime(2026, 3, 2, 2, 30, tzinfo=UTC)


def test_an_interval_keeps_its_rhythm_from_the_schedules_creation() -> None:
    schedule = read_schedule(a_manifest(interval="6h"))
    looked_at = NOW + timedelta(hours=7)
    assert list(islice(next_times(schedule, NOW, looked_at), 2)) == [NOW + timedelta(hours=h) for h in (12, 18)]


def test_nothing_starts_on_a_blackout_date_of_the_schedules_zone() -> None:
    schedule = read_schedule(
        a_manifest(schedule="0 1 * * *", timeZone="Asia/Tokyo", blackoutDates=["2026-03-02", "2026-03-04..2026-03-05"])
    )
    # 01:00 in Tokyo is 16:00 UTC of the day before
    assert [f"{at:%d %H}" for at in islice(next_times(schedule, NOW, NOW), 2)] == ["02 16", "05 16"]


# ---- the message


def test_what_scheduler_sends_is_read_once_it_has_put_the_time_in() -> None:
    sent = build_target_input("nightly").replace("<aws.scheduler.scheduled-time>", "2026-03-01T12:00:00Z")
    assert ScheduleDue.from_wire(sent, NOW + timedelta(hours=1)) == ScheduleDue(schedule="nightly", due_at=NOW)


def test_a_missing_time_is_the_minute_in_which_the_message_was_queued() -> None:
    due = ScheduleDue.from_wire(build_target_input("nightly"), NOW + timedelta(seconds=42))
    assert due
    assert due.due_at == NOW


def test_a_message_is_the_same_after_it_was_put_back() -> None:
    due = ScheduleDue(schedule="nightly", due_at=NOW, kind=Kind.RUN_NOW, retry=2)
    assert ScheduleDue.from_wire(due.to_wire(), NOW + timedelta(hours=1)) == due


def test_the_end_of_a_scan_counts_only_if_it_belongs_to_a_schedule() -> None:
    def ended(labels: dict[str, str], source: str = "cascan") -> str:
        detail = {"labels": labels, "at": "2026-03-01T12:00:00Z"}
        return json.dumps({"source": source, "detail-type": "ScanCompleted", "detail": detail})

    heard = ScheduleDue.from_wire(ended({"cascan/schedule": "nightly"}), NOW)
    assert heard == ScheduleDue(schedule="nightly", due_at=NOW, kind=Kind.SETTLE)
    assert ScheduleDue.from_wire(ended({}), NOW) is None
    assert ScheduleDue.from_wire(ended({"cascan/schedule": "nightly"}, "elsewhere"), NOW) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"schedule": "nightly"}',
        '{"schedule": "nightly", "dueAt": "soon"}',
        '{"schedule": "nightly", "dueAt": "2026-03-01T12:00:00"}',
        '{"schedule": "", "dueAt": "2026-03-01T12:00:00Z"}',
        "[" * 100_000,
    ],
)
def test_another_message_is_refused(body: str) -> None:
    with pytest.raises(MalformedMessage):
        ScheduleDue.from_wire(body, NOW)
