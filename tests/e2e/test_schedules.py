"""A schedule fires for real on the emulator: its scan runs, and its status says what was found.

The emulator fires rate schedules, every ten seconds at the earliest. What it does not do (time zones, the role, the
dead-letter queue, the time in the message) is told to EventBridge Scheduler, and looked at there:
tests/integration/gateways/test_scheduler.py and tests/template/.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascan_cli.local.state import StateDir
from tests.e2e.cascan_command import Cascan
from tests.e2e.ticks import tick
from tests.support.waiting import await_another_second, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def manifest(name: str, port: int, **spec: Any) -> str:
    scan = {"scanType": "nmap", "parameters": ["-Pn", "-p", str(port), "127.0.0.1"]}
    return json.dumps(
        {
            "apiVersion": "execution.securecodebox.io/v1",
            "kind": "ScheduledScan",
            "metadata": {"name": name},
            "spec": {"scanSpec": scan} | spec,
        }
    )


def test_an_interval_runs_at_once_and_again_when_its_schedule_fires(cascan: Cascan, lab: dict[str, int]) -> None:
    port = next(iter(lab.values()))
    applied = cascan("apply -f - --json", stdin=manifest("every-minute", port, interval="1m"))
    assert applied.code == 0, applied.err

    def done() -> int:
        runs = cascan("schedule show every-minute --json").json["runs"]
        return sum(run["scan"] is not None and run["scan"]["state"] == "Done" for run in runs)

    eventually(lambda: done() >= 1)
    eventually(lambda: done() >= 2, 200)
    shown = cascan("schedule show every-minute --json").json
    assert shown["findings"]["count"] >= 1
    assert len({run["id"] for run in shown["runs"]}) == len(shown["runs"])
    assert cascan("schedule delete every-minute").code == 0
    assert cascan("schedule show every-minute").code == 2


def test_a_paused_schedule_is_run_by_hand_and_its_history_is_bounded(cascan: Cascan, lab: dict[str, int]) -> None:
    port = next(iter(lab.values()))
    spec = {"schedule": "0 0 1 1 *", "timeZone": "Europe/Berlin", "successfulJobsHistoryLimit": 1}
    assert cascan("apply -f -", stdin=manifest("yearly", port, **spec)).code == 0
    (listed,) = [row for row in cascan("schedule list --json").json if row["name"] == "yearly"]
    assert listed["nextTimes"][0].endswith("-12-31T23:00:00.000Z")  # midnight in Berlin
    assert cascan("schedule pause yearly").code == 0
    assert cascan("schedule show yearly --json").json["state"] == "suspended"
    first = cascan("schedule run-now yearly --json").json["id"]

    def last() -> str | None:
        return cascan("schedule show yearly --json").json["lastSuccessfulScan"]  # type: ignore[no-any-return]

    eventually(lambda: last() == first, 120)
    assert cascan("schedule resume yearly").code == 0
    assert cascan("schedule show yearly --json").json["state"] == "active"
    assert cascan("schedule delete yearly").code == 0


def test_b2_refused_scans_of_a_schedule_have_the_promised_ids_and_are_trimmed(cascan: Cascan) -> None:
    document = json.loads(manifest("refused", 22, schedule="0 0 1 1 *", concurrencyPolicy="Forbid"))
    document["spec"] |= {
        "failedJobsHistoryLimit": 1,
        "scanSpec": {"scanType": "nmap", "parameters": ["-p22", "8.8.8.8"]},
    }
    assert cascan("apply -f -", stdin=json.dumps(document)).code == 0

    def run_now() -> str:
        promised: str = cascan("schedule run-now refused --json").json["id"]
        eventually(lambda: states().get(promised) == "Errored", 60)
        return promised

    def states() -> dict[str, str]:
        runs = cascan("schedule show refused --json").json["runs"]
        return {run["id"]: run["scan"]["state"] for run in runs if run["scan"]}

    first = run_now()
    await_another_second()  # runs that are asked for in one second are one run
    second = run_now()  # Forbid does not hold it back
    assert first != second
    endpoint = StateDir(cascan.state_dir).endpoint()
    eventually(lambda: tick(endpoint) and set(states()) == {second}, 120)
    assert cascan("schedule delete refused").code == 0


def test_s6_a_deployment_with_another_scan_type_runs_the_schedules_that_wish_it_once(
    tmp_path: Path, lab: dict[str, int]
) -> None:
    cascan, port = Cascan(tmp_path), next(iter(lab.values()))
    try:
        assert cascan("local up").code == 0
        endpoint = StateDir(tmp_path).endpoint()
        for name, wishes in (("wishes", True), ("does-not", False)):
            spec = {"schedule": "0 0 1 1 *", "retriggerOnScanTypeChange": wishes}
            assert cascan("apply -f -", stdin=manifest(name, port, **spec)).code == 0
        assert tick(endpoint)["retriggered"] == 0
        assert cascan("local up --policy-profile intrusive").code == 0
        tick(endpoint)

        def runs(name: str) -> list[Any]:
            return cascan(f"schedule show {name} --json").json["runs"]  # type: ignore[no-any-return]

        eventually(lambda: [run["scan"] and run["scan"]["state"] for run in runs("wishes")] == ["Done"], 120)
        assert tick(endpoint)["retriggered"] == 0
        assert (len(runs("wishes")), runs("does-not")) == (1, [])
    finally:
        cascan("local down")
