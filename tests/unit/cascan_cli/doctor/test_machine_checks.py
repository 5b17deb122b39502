"""The checks of this machine: as it should be, and as it may be found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cascan_cli.doctor import machine_checks
from cascan_cli.doctor.check import Check, Result, Status, run_checks, worst
from cascan_cli.local.state import Deployment, Running, StateDir
from tests.unit.cascan_cli.local.test_endpoint import SECRET, somebody


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state")


def run_one(check: Callable[[], Iterable[Result]]) -> Result:
    ((_, result),) = run_checks([Check("a check", check)])
    return result


def script(folder: Path, text: str) -> str:
    path = folder / "nmap"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_new_state_directory_has_no_problem(state: StateDir) -> None:
    checks = [check for check in machine_checks.machine_checks(state) if check.name not in ("nmap", "raw sockets")]

    results = [result for _, result in run_checks(checks)]

    assert worst(result.status for result in results) is Status.OK, results


def test_nmap_is_named_with_its_version(tmp_path: Path) -> None:
    nmap = script(tmp_path, 'echo "Nmap version 7.93 ( https://nmap.org )"')

    assert run_one(lambda: machine_checks.check_nmap(nmap)) == Result.ok(f"nmap 7.93 at {nmap}")


def test_an_nmap_that_does_not_start_is_a_problem(tmp_path: Path) -> None:
    nmap = script(tmp_path, "exit 5")

    result = run_one(lambda: machine_checks.check_nmap(nmap))

    assert (result.status, "exit code 5" in result.sentence) == (Status.PROBLEM, True)


def test_a_machine_without_nmap_is_told_how_to_install_it() -> None:
    result = run_one(lambda: machine_checks.check_nmap(None))

    assert (result.status, result.sentence) == (Status.PROBLEM, "nmap is not installed")
    assert "apt-get install nmap" in result.remedy


def test_missing_raw_sockets_are_a_warning_with_the_command_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        machine_checks, "find_raw_socket_problem", lambda _: "nmap lacks cap_net_raw; run: setcap x nmap"
    )

    result = run_one(lambda: machine_checks.check_raw_sockets(script(tmp_path, "")))

    assert (result.status, result.remedy) == (Status.WARNING, "setcap x nmap")
    assert result.sentence.endswith("nmap lacks cap_net_raw")


def test_a_state_directory_that_others_can_read_is_a_problem(state: StateDir) -> None:
    state.logs.chmod(0o755)

    result = run_one(lambda: machine_checks.check_permissions(state))

    assert (result.status, result.remedy) == (Status.PROBLEM, f"chmod -R go= {state.root}")


@pytest.mark.parametrize(
    ("free", "expected"), [(10**7, Status.PROBLEM), (5 * 10**8, Status.WARNING), (10**10, Status.OK)]
)
def test_a_disk_that_is_full_or_almost_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: Status
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    assert run_one(lambda: machine_checks.check_disk(tmp_path)).status is expected


@pytest.mark.parametrize(("knows", "expected"), [(SECRET, Status.OK), ("another secret", Status.PROBLEM)])
def test_another_program_on_the_port_is_a_problem(state: StateDir, knows: str, expected: Status) -> None:
    (state.root / "secret").write_text(SECRET)
    with somebody(knows) as (endpoint, _):
        (state.root / "machine.json").write_text(f'{{"port": {endpoint.port}}}')
        result = run_one(lambda: machine_checks.check_port(state))

    assert result.status is expected


def test_a_supervisor_that_was_killed_is_a_warning(state: StateDir) -> None:
    state.write_running(Running(os.getpid(), "2026-01-31T00:00:00Z"))  # and nobody holds its lock

    result = run_one(lambda: machine_checks.check_supervisor(state))

    assert (result.status, result.remedy) == (Status.WARNING, "cascan local up")


def test_a_deployment_of_other_code_is_a_warning(state: StateDir) -> None:
    state.write_deployment(Deployment("another", ("template.yaml",), {}, {}))

    result = run_one(lambda: machine_checks.check_deployment(state))

    assert (result.status, result.remedy) == (Status.WARNING, "cascan local up")


def test_a_damaged_file_is_a_problem_and_no_traceback(state: StateDir) -> None:
    (state.root / "deployment.json").write_text("{")

    result = run_one(lambda: machine_checks.check_deployment(state))

    assert (result.status, "is damaged" in result.sentence) == (Status.PROBLEM, True)
