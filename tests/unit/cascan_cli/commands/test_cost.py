"""`cascan cost`: what a request would cost, without scanning and without a stack."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cascan.cost
from cascan_cli.commands import cost
from cascan_cli.main import main
from cascan_cli.stack import permissions

PRICES = (Path(cascan.cost.__path__[0]) / "prices.json").read_text()
SCHEDULE = """
apiVersion: execution.securecodebox.io/v1
kind: ScheduledScan
metadata: {name: nightly}
spec:
  schedule: "30 2 * * *"
  scanSpec: {scanType: nmap, parameters: ["-p", "22", "10.0.0.1"]}
"""


@pytest.fixture(autouse=True)
def no_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def estimated(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["cost", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def test_a_request_is_estimated_with_its_size_and_lane(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = estimated(capsys, "10.0.0.0/24", "--exclude", "10.0.0.1", "--", "-p", "22")
    (request,) = printed["requests"]
    assert (code, printed["accepted"], request["runs"]) == (0, True, 1)
    assert (request["estimate"]["addresses"], request["estimate"]["lane"]) == (255, "express")
    assert printed["usd"] == request["usd"] == request["estimate"]["usd"]


def test_a_person_reads_the_items_the_assumptions_and_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "10.0.0.0/20", "--", "-sS"]) == 0
    printed = capsys.readouterr()
    assert "Fargate Spot, processors\t" in printed.out
    assert "live hosts\t10 to 100 %\t" in printed.out
    assert printed.out.splitlines()[-1].startswith("one run: ")
    assert "prices of 2026-03-31, us-east-1" in printed.err


def test_a_refused_request_has_its_reasons_and_no_cost(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = estimated(capsys, "8.8.8.8")
    assert (code, printed["accepted"], printed["usd"]) == (2, False, {"low": 0.0, "high": 0.0})
    assert "AllowedTargets" in printed["requests"][0]["refusals"][0]["reason"]


def test_runs_multiply_the_cost(capsys: pytest.CaptureFixture[str]) -> None:
    once, often = (estimated(capsys, "--runs", runs, "10.0.0.1")[1]["usd"]["high"] for runs in ("1", "10"))
    assert often == pytest.approx(10 * once, rel=0.01)


def test_a_schedule_is_estimated_for_its_runs_of_thirty_days(capsys: pytest.CaptureFixture[str]) -> None:
    Path("nightly.yaml").write_text(SCHEDULE)
    assert estimated(capsys, "-f", "nightly.yaml")[1]["requests"][0]["runs"] == 30
    assert estimated(capsys, "-f", "nightly.yaml", "--runs", "2")[1]["requests"][0]["runs"] == 2


def test_several_documents_are_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    Path("both.yaml").write_text(f"{SCHEDULE}---\n{SCHEDULE.replace('nightly', 'other')}")
    code, printed = estimated(capsys, "-f", "both.yaml")
    assert (code, [request["request"] for request in printed["requests"]]) == (0, ["document 1", "document 2"])
    assert printed["usd"]["high"] == pytest.approx(2 * printed["requests"][0]["usd"]["high"], rel=0.01)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "name either targets or a file"),
        (("-f", "x", "10.0.0.1"), "name either targets or a file"),
        (("10.0.0.1", "--runs", "0"), "--runs 0"),
        (("10.0.0.1", "--live-share", "nan"), "--live-share nan"),
        (("10.0.0.1", "--live-share", "30"), "--live-share 30.0"),
        (("10.0.0.1", "--prices", "missing.json"), "missing.json: No such file"),
        (("10.0.0.1", "--prices", "bad.json"), "bad.json: prices.s3Put.usd: must be a number"),
        (("10.0.0.1", "--prices", "latin.json"), "latin.json is not UTF-8"),
    ],
)
def test_a_wrong_argument_is_named(words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.json").write_text(PRICES.replace('"s3Put": {"usd": 0.000005', '"s3Put": {"usd": "?"'))
    Path("latin.json").write_bytes(b"\xe9")
    assert main(["cost", *words]) == 2
    assert problem in capsys.readouterr().err


def test_prices_of_one_s_own_are_used_and_old_ones_noted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own.json").write_text(PRICES.replace('"usd": 0.0000166667', '"usd": 1'))
    monkeypatch.setattr(cost, "utc_now", lambda: datetime(2027, 4, 1, tzinfo=UTC))
    _, printed = estimated(capsys, "10.0.0.1", "--prices", "own.json", "--", "-F")
    assert printed["usd"]["high"] > 1
    assert "more than a year old" in printed["notes"][0]


def test_a_deployed_stack_gives_the_size_of_its_workers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"AllowedTargets": "10.0.0.0/8", "WorkerSubnets": "subnet-1", "WorkerSpot": "disabled"}
    parameters |= {"WorkerCpu": "4096", "WorkerMemory": "8192", "WorkerPublicIp": "DISABLED", "MaxWorkers": "3"}
    described = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    monkeypatch.setattr(permissions, "describe_stack", lambda name: {"Parameters": described})
    _, printed = estimated(capsys, "10.0.0.0/16", "--stack", "cascan", "--", "-sS")
    estimate = printed["requests"][0]["estimate"]
    assumed = {assumption["name"]: assumption["value"] for assumption in estimate["assumptions"]}
    assert assumed["worker"] == "4 vCPU, 8 GB"
    assert estimate["workers"]["high"] == 3
    assert "public addresses" not in {item["item"] for item in estimate["items"]}
    described.append({"ParameterKey": "MaxWorkers", "ParameterValue": "many"})
    assert main(["cost", "10.0.0.1", "--stack", "cascan"]) == 2
    assert "MaxWorkers is not a number" in capsys.readouterr().err


def test_a_request_above_its_budget_is_estimated_and_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("request.json").write_text(json.dumps({"targets": ["10.0.0.0/16"], "parameters": ["-p-"], "budgetUsd": 5}))
    code, printed = estimated(capsys, "-f", "request.json")
    (request,) = printed["requests"]
    assert (code, request["accepted"], request["refusals"][0]["what"]) == (2, False, "budgetUsd")
    assert request["estimate"]["usd"]["high"] > 5
