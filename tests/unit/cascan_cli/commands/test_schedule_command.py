"""`cascan schedule` and `cascan apply` of schedules: what is stored, told to EventBridge Scheduler, sent, printed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.model.scan import Counts, ScanState
from cascan.model.schedule import LatestResult, Schedule, ScheduledRun
from cascan.schedules.due import Kind, ScheduleDue, run_scan_id
from cascan_cli.commands import apply, schedule
from cascan_cli.main import main
from cascan_cli.stack import schedules
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.fakes.cascades import MemoryRequestQueue
from tests.fakes.schedules import MemoryScheduleTable
from tests.support.builders import NOW, a_scan, clock


@dataclass
class Scheduler:
    """EventBridge Scheduler that remembers what it was told."""

    told: dict[str, Schedule] = field(default_factory=dict)
    broken: bool = False

    def put(self, schedule: Schedule, created_at: datetime, now: datetime) -> None:
        if self.broken:
            raise GatewayUnavailable("scheduler")
        self.told[schedule.name] = schedule

    def delete(self, name: str) -> None:
        self.told.pop(name, None)


@dataclass
class Stack:
    schedules: MemoryScheduleTable = field(default_factory=MemoryScheduleTable)
    scheduler: Scheduler = field(default_factory=Scheduler)
    schedule_queue: MemoryRequestQueue = field(default_factory=MemoryRequestQueue)
    request_queue: MemoryRequestQueue = field(default_factory=MemoryRequestQueue)
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    operator_records: MemoryOperatorRecords = field(default_factory=MemoryOperatorRecords)

    def sent(self) -> list[ScheduleDue | None]:
        return [ScheduleDue.from_wire(body, NOW) for body in self.schedule_queue.sent]


@dataclass
class Terminal:
    stack: Stack
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """What `cascan WORDS…` prints; it has to end with `code`."""
        self.monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        ended = main(words)
        out, self.err = self.capsys.readouterr()
        assert ended == code, self.err
        return out

    def json(self, *words: str, stdin: str = "") -> Any:
        return json.loads(self(*words, "--json", stdin=stdin))

    def apply(self, name: str = "nightly", **spec: Any) -> Any:
        (applied,) = self.json("apply", "-f", "-", stdin=manifest(name, **spec))
        return applied


def manifest(name: str = "nightly", **spec: Any) -> str:
    scan = {"scanType": "nmap", "parameters": ["127.0.0.1"]}
    given = {"scanSpec": scan} | (spec or {"schedule": "30 2 * * *"})
    head = {"apiVersion": "execution.securecodebox.io/v1", "kind": "ScheduledScan", "metadata": {"name": name}}
    return json.dumps(head | {"spec": given})


@pytest.fixture
def cascan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    stack = Stack()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield stack

    for module in (apply, schedule):
        monkeypatch.setattr(module, "open_stack", access)
    for module in (apply, schedules):
        monkeypatch.setattr(module, "utc_now", clock)
    return Terminal(stack, monkeypatch, capsys)


# ---- apply


def test_s2_a_new_interval_is_due_at_once_and_a_cron_at_its_next_match(cascan: Terminal) -> None:
    cascan.apply("hourly", interval="1h")
    assert cascan.stack.sent() == [ScheduleDue(schedule="hourly", due_at=NOW)]
    assert cascan.apply("nightly", schedule="30 2 * * *")["nextTimes"][0] == "2026-03-02T02:30:00.000Z"
    assert len(cascan.stack.schedule_queue.sent) == 1


def test_s2_an_interval_that_was_due_before_is_not_started_again_by_applying_it(cascan: Terminal) -> None:
    cascan.apply("hourly", interval="1h")
    cascan.stack.schedules.record_due("hourly", NOW)
    cascan.apply("hourly", interval="2h")
    assert len(cascan.stack.schedule_queue.sent) == 1


def test_s2_the_first_run_of_an_interval_is_not_lost_when_applying_breaks_off(cascan: Terminal) -> None:
    cascan.stack.scheduler.broken = True
    cascan("apply", "-f", "-", code=3, stdin=manifest("hourly", interval="1h"))
    assert "the stack does not answer" in cascan.err
    cascan.stack.scheduler.broken = False
    cascan.monkeypatch.setattr(schedules, "utc_now", lambda: NOW + timedelta(minutes=5))
    cascan.apply("hourly", interval="1h")
    cascan.apply("hourly", interval="1h")
    twice_the_same = ScheduleDue(schedule="hourly", due_at=NOW).to_wire()  # and so one scan
    assert set(cascan.stack.schedule_queue.sent) == {twice_the_same}


def test_s5_a_suspended_interval_is_not_due_until_it_is_resumed(cascan: Terminal) -> None:
    applied = cascan.apply("hourly", interval="1h", suspend=True)
    assert (applied["result"], applied["nextTimes"]) == ("version 1, suspended", [])
    assert cascan.stack.schedule_queue.sent == []
    cascan("schedule", "resume", "hourly")
    assert [due.schedule for due in cascan.stack.sent() if due] == ["hourly"]


def test_applying_says_that_its_scans_would_be_refused_as_things_stand_and_stores_it(cascan: Terminal) -> None:
    scan = {"scanType": "nmap", "parameters": ["-oN", "x", "8.8.8.8"]}
    applied = cascan.apply("outside", schedule="30 2 * * *", scanSpec=scan)
    assert applied["version"] == 1
    assert [note.partition(":")[0] for note in applied["notes"]] == ["its scans would be refused"] * 2
    assert {word in cascan.err for word in ("-oN", "8.8.8.8 is outside AllowedTargets")} == {True}
    assert cascan.apply("inside", schedule="30 2 * * *")["notes"] == []


def test_applying_says_when_it_fires_next_and_what_has_no_effect(cascan: Terminal) -> None:
    text = manifest("nightly", schedule="30 2 * * *", interval="1h")
    assert (
        cascan("apply", "-f", "-", stdin=text) == "ScheduledScan\tnightly\tversion 1, next 2026-03-02T02:30:00.000Z\n"
    )
    assert "nightly: spec.interval has no effect here" in cascan.err
    assert cascan.stack.scheduler.told["nightly"].cron == "30 2 * * *"


def test_nothing_is_stored_when_one_of_several_manifests_is_refused(cascan: Terminal) -> None:
    text = f"---\n{manifest('good')}\n---\n{manifest('bad', schedule='61 * * * *')}\n"
    cascan("apply", "-f", "-", code=2, stdin=text)
    assert "bad: spec.schedule: minute" in cascan.err
    assert (cascan.stack.schedules.stored, cascan.stack.scheduler.told) == ({}, {})


# ---- schedule


@pytest.mark.parametrize("action", ["show", "pause", "resume", "run-now", "delete"])
def test_an_unknown_name_is_refused_with_the_command_that_tells_the_known_ones(cascan: Terminal, action: str) -> None:
    cascan.apply("nightly")
    assert cascan("schedule", action, "nighty", code=2) == ""
    assert cascan.err == "cascan: there is no schedule 'nighty'; see cascan schedule list\n"


def test_list_has_a_line_for_each_with_its_next_time_and_what_it_last_found(cascan: Terminal) -> None:
    assert cascan("schedule", "list") == ""
    cascan.apply("nightly", schedule="30 2 * * *", timeZone="Europe/Berlin")
    cascan.apply("paused", interval="90m", suspend=True)
    cascan.stack.schedules.record_result(
        "nightly", LatestResult(scan_id="s", finished_at=NOW, findings=Counts(count=7))
    )
    assert cascan("schedule", "list").splitlines() == [
        "nightly\t30 2 * * * Europe/Berlin\tactive\t2026-03-02T01:30:00.000Z\t\t7",
        "paused\tevery 90 min\tsuspended\t\t\t",
    ]
    first, second = cascan.json("schedule", "list")
    assert (first["lastSuccessfulScan"], first["findings"]["count"], second["nextTimes"]) == ("s", 7, [])


def test_a_stored_manifest_that_is_refused_by_now_hides_no_other_and_can_be_deleted(cascan: Terminal) -> None:
    cascan.stack.schedules.put_schedule("a-relic", {"kind": "ScheduledScan", "spec": {}})
    cascan.apply("nightly")
    relic, nightly = cascan.json("schedule", "list")
    assert (relic["name"], "apply it again" in relic["state"], nightly["state"]) == ("a-relic", True, "active")
    for action in ("show", "pause", "run-now"):
        cascan("schedule", action, "a-relic", code=2)
        assert "apply it again" in cascan.err
    cascan("schedule", "delete", "a-relic")
    assert [row["name"] for row in cascan.json("schedule", "list")] == ["nightly"]


def test_show_has_the_next_five_times_and_its_scans_the_latest_first(cascan: Terminal) -> None:
    cascan.apply("nightly")
    for day, scan_id in enumerate(("first", "second", "gone")):
        due_at = NOW + timedelta(days=day)
        run = ScheduledRun(schedule="nightly", due_at=due_at, scan_id=scan_id, asked_at=due_at, body="{}")
        cascan.stack.schedules.add_run(run)
        if scan_id != "gone":
            scan = a_scan(scan_id=scan_id, state=ScanState.DONE, findings=Counts(count=day), shards_open=0)
            cascan.stack.table.scans[scan_id] = scan
    lines = cascan("schedule", "show", "nightly").splitlines()
    assert lines[0] == "nightly: 30 2 * * * UTC, active, version 1"
    assert [line for line in lines if line.startswith("next")] == [
        f"next  2026-03-0{day}T02:30:00.000Z" for day in range(2, 7)
    ]
    assert [line.split("\t")[1:3] for line in lines[6:]] == [
        ["gone", "not found"],
        ["second", "Done"],
        ["first", "Done"],
    ]
    assert "cascan diff nightly" in cascan.err
    shown = cascan.json("schedule", "show", "nightly")
    assert [run["id"] for run in shown["runs"]] == ["first", "second", "gone"]
    assert (shown["manifest"]["metadata"]["name"], shown["lastScheduleTime"]) == ("nightly", "2026-03-03T12:00:00.000Z")


def test_s5_pause_and_resume_change_the_manifest_and_what_scheduler_does(cascan: Terminal) -> None:
    cascan.apply("nightly")
    assert cascan("schedule", "pause", "nightly") == "nightly is paused; running scans go on\n"
    assert cascan.stack.scheduler.told["nightly"].suspend
    paused = cascan.json("schedule", "pause", "nightly")
    assert (paused["state"], paused["version"], paused["nextTimes"]) == ("suspended", 2, [])  # the same: no new version
    resumed = cascan.json("schedule", "resume", "nightly")
    assert (resumed["state"], resumed["version"]) == ("active", 3)
    assert not cascan.stack.scheduler.told["nightly"].suspend
    assert cascan.stack.schedule_queue.sent == []


def test_run_now_sends_what_is_due_now_and_names_the_scan_that_it_will_be(cascan: Terminal) -> None:
    cascan.apply("nightly", schedule="30 2 * * *", suspend=True)
    asked = cascan.json("schedule", "run-now", "nightly")
    (due,) = cascan.stack.sent()
    assert due == ScheduleDue(schedule="nightly", due_at=NOW, kind=Kind.RUN_NOW)
    assert asked["id"] == run_scan_id(cascan.stack.scheduler.told["nightly"], NOW)
    assert cascan("schedule", "run-now", "nightly") == f"requested scan {asked['id']}\n"


def test_delete_takes_it_from_scheduler_and_table_and_leaves_its_scans(cascan: Terminal) -> None:
    cascan.apply("nightly")
    cascan.apply("weekly")
    cascan.stack.table.scans["its-own"] = a_scan(scan_id="its-own", name="nightly")
    assert cascan("schedule", "delete", "nightly") == "nightly is deleted; its scans are kept\n"
    kept_for_a_rebuild = list(cascan.stack.operator_records.names("schedules/"))
    assert kept_for_a_rebuild == ["schedules/weekly.json"]
    assert cascan.json("schedule", "delete", "weekly") == {"name": "weekly", "deleted": True}
    assert (cascan.stack.schedules.stored, cascan.stack.scheduler.told) == ({}, {})
    assert list(cascan.stack.table.scans) == ["its-own"]
