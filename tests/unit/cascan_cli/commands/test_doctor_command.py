"""`cascan doctor`: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascan.clock import utc_now
from cascan.errors import GatewayUnavailable
from cascan_cli.commands import doctor
from cascan_cli.doctor.check import Check, Result
from cascan_cli.errors import CliError
from cascan_cli.main import main
from cascan_cli.version import VERSION
from tests.fakes import MemoryScanTable
from tests.fakes.operator_queue import MemoryOperatorQueue


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """What the only check of this machine finds."""
    found: list[Result] = []
    monkeypatch.setattr(doctor, "machine_checks", lambda _: [Check("disk", lambda: found)])
    return found


WARNING, PROBLEM = Result.warning("little \x1b[2Jroom", "tidy"), Result.problem("no room", "buy a disk")


@pytest.mark.parametrize(
    ("found", "exit_code"), [([], 0), ([Result.ok("room")], 0), ([WARNING], 1), ([WARNING, PROBLEM, Result.ok("a")], 3)]
)
def test_the_exit_code_is_that_of_the_most_serious_result(
    results: list[Result], found: list[Result], exit_code: int, tmp_path: Path
) -> None:
    results.extend(found)

    assert main(["doctor", "--state-dir", str(tmp_path / "state")]) == exit_code


def test_each_result_is_a_line_with_what_mends_it(
    results: list[Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results.append(WARNING)
    main(["doctor", "--state-dir", str(tmp_path / "state")])

    out, err = capsys.readouterr()
    assert out == "warning\tdisk\tlittle \\x1b[2Jroom\ttidy\n"
    assert "0 problems, 1 warning, 0 ok" in err


def test_a_state_directory_that_cannot_be_used_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_text("a file")

    assert main(["doctor", "--state-dir", str(tmp_path / "state"), "--json"]) == 3
    (result,) = json.loads(capsys.readouterr().out)
    assert (result["check"], result["status"]) == ("state directory", "problem")


class Gateways:
    """The gateways of a stack whose queues are empty."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.table = MemoryScanTable()
        self.outputs: dict[str, str] = {}

    def queue(self, _: str) -> MemoryOperatorQueue:
        return MemoryOperatorQueue()


def describe(_: str) -> dict[str, Any]:
    return {
        "StackStatus": "UPDATE_COMPLETE",
        "CreationTime": utc_now(),
        "StackName": "lan",
        "Outputs": [{"OutputKey": "Version", "OutputValue": VERSION}],
    }


def broken_client(_: str) -> Any:
    raise GatewayUnavailable("no network")


def test_a_service_that_does_not_answer_stops_no_other_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "describe_stack", describe)
    monkeypatch.setattr(doctor, "open_client", broken_client)
    monkeypatch.setattr(doctor, "StackGateways", Gateways)

    assert main(["doctor", "--stack", "lan", "--json"]) == 3

    statuses = {result["check"]: result["status"] for result in json.loads(capsys.readouterr().out)}
    broken = ("credentials", "waiting", "tick", "worker images", "Lambda quota", "Fargate quota", "network")
    assert statuses == dict.fromkeys(broken, "problem") | dict.fromkeys(
        ("stack", "version", "retention", "queues", "dead letters", "vantages", "halt", "agenda", "layout", "scans"),
        "ok",
    )


def test_a_stack_that_cannot_be_read_is_one_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable(_: str) -> Any:
        raise CliError("stack 'lan' cannot be read: it does not exist")

    monkeypatch.setattr(doctor, "describe_stack", unreadable)
    monkeypatch.setattr(doctor, "open_client", broken_client)

    assert main(["doctor", "--stack", "lan", "--json"]) == 3

    messages = [result["message"] for result in json.loads(capsys.readouterr().out)]
    assert messages == ["the check failed: no network", "stack 'lan' cannot be read: it does not exist"]
