"""A month of lossy scans: no false alarm, and every drift is told by the second scan after it."""

from __future__ import annotations

from random import Random

import pytest

from cascan.exposure.life import Evidence
from cascan.model.exposure import JudgedLook
from tests.exposure_month.lossy_scan import Wire, probe_ports, scan_host
from tests.exposure_month.month import Conditions, Result, run_months

SEEDS = range(20)
SOME = range(0, 20, 10)  # those that are compared with `cascan exposure check`


def wire(loss: float, seed: int = 1) -> Wire:
    return Wire(Random(seed), loss)  # noqa: S311 - a seeded simulation


def find_faults(result: Result) -> dict[str, int]:
    names = ("late", "false_alarms", "false_all_clears", "disagreements")
    return {name: count for name in names if (count := getattr(result, name))}


def test_twenty_months_at_five_percent_loss_have_no_false_alarm_and_tell_every_drift_in_time() -> None:
    result = run_months(SEEDS, Conditions())
    assert result.wrong_looks > 10  # the loss was felt
    assert result.drifts == 280
    assert find_faults(result) == {}


def test_a_second_look_at_once_tells_many_drifts_by_the_first_scan() -> None:
    result = run_months(SOME, Conditions(confirms=True))
    assert result.told_at[1] == 4 * len(SOME)  # the ports of each month that open or close
    assert find_faults(result) == {}


def test_a_single_look_would_raise_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascan.exposure.life._weigh", lambda exposure: _believe_newest(exposure.looks))
    assert run_months(range(1, 5), Conditions(rejects=False)).false_alarms > 10


def _believe_newest(looks: tuple[JudgedLook, ...]) -> Evidence:
    holds = bool(looks) and looks[-1].holds
    return Evidence(holds=holds, is_confirmed=holds)


def test_without_loss_a_scan_sees_what_is_there() -> None:
    seen = scan_host({22: "ssh"}, (22, 23), wire(0))
    assert seen is not None
    assert {number: (port.state, port.service) for number, port in seen.items()} == {
        22: ("open", "ssh"),
        23: ("closed", ""),
    }
    dropped = scan_host({80: "http"}, (80, 81), wire(0), rejects=False)
    assert dropped is not None
    assert dropped[81].state == "filtered"


def test_a_silent_port_is_probed_again_as_often_as_other_answers_needed() -> None:
    sent = []

    class Counted(Wire):
        def delivers(self) -> bool:
            sent.append(1)
            return False

    assert probe_ports([1], [1], Counted(wire(0).random, 0)) == set()
    assert len(sent) == 2  # at least one retransmission, and without any answer no more
    many = probe_ports(range(1_000), range(1_000), wire(0.05))
    assert len(many) > 995
