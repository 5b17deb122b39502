"""The whole emulator is killed, twice: rules, schedules, a suspension and a halt are there again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cascan_cli.local.emulator import GUARD
from cascan_cli.local.lock import is_held
from tests.e2e.cascan_command import Cascan, stack_up
from tests.support.cascading import rule_document
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

SEVERITY = "rules: [{name: telnet, matches: {anyOf: [{name: x}]}, override: {severity: HIGH}}]"
NIGHTLY = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "ScheduledScan",
    "metadata": {"name": "nightly"},
    "spec": {"schedule": "0 3 * * *", "scanSpec": {"scanType": "nmap", "parameters": ["127.0.0.1", "-p", "80"]}},
}


@pytest.fixture
def cascan(tmp_path: Path) -> Iterator[Cascan]:
    with stack_up(Cascan(tmp_path)) as command:
        yield command


def test_what_the_operator_decided_outlives_the_table(cascan: Cascan) -> None:
    rules = [rule_document("web", scanType="nmap"), rule_document("web", scanType="sslyze")]
    for document in (*rules, rule_document("gone"), NIGHTLY):
        assert cascan("apply", "-f", "-", stdin=json.dumps(document)).code == 0
    assert cascan("rules delete", "gone").code == 0
    assert cascan("severity apply", "-f", "-", stdin=SEVERITY).code == 0
    assert cascan("halt", "--reason", "too loud").code == 0
    request = {"name": "held", "targets": ["127.0.0.1"], "parameters": ["-p", "80"]}
    assert cascan("submit", "-f", "-", "--no-wait", stdin=json.dumps(request)).code == 0
    eventually(lambda: cascan("scans", "--json").json)
    assert cascan("suspend", "held").code == 0
    before = decided(cascan)
    assert before["suspended"] == ["held"]
    for _ in range(2):  # the second time from the bucket that they were moved to
        kill_the_emulator(cascan)
        up = cascan("local up")
        assert (up.code, decided(cascan)) == (0, before), up.err
        assert "restored: the halt, 1 severity rules, rule web, schedule nightly" in up.err
    assert cascan("resume", "held").code == 0
    assert cascan("halt", "--lift").code == 0
    eventually(lambda: cascan("scans", "--json").json[0]["state"] == "Done", 120)


def decided(cascan: Cascan) -> dict[str, Any]:
    """What stands of what the operator decided."""
    schedules = cascan("schedule list", "--json").json
    return {
        "rules": [rule for rule in cascan("rules list", "--json").json if rule["version"]],
        "first": cascan("rules show", "web", "--version", "1", "--json").json,
        "severity": cascan("severity show", "--json").json["text"],
        "schedules": [(one["name"], one["version"], one["state"], one["when"]) for one in schedules],
        "suspended": [scan["name"] for scan in cascan("scans", "--json").json if scan["state"] == "Suspended"],
    }


def kill_the_emulator(cascan: Cascan) -> None:
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = status.read_bytes().decode(errors="replace").split("\0")
            mine = str(cascan.state_dir).encode() in (status.parent / "environ").read_bytes()
            if mine and str(GUARD) in words and "keeper" not in " ".join(words):
                os.kill(int(status.parent.name), signal.SIGKILL)
    eventually(lambda: not is_held(cascan.state_dir / "lock") and not is_held(cascan.state_dir / "up.lock"))
