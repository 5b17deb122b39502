"""A scan that needs raw sockets, on a machine that has none: said before anything is started."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path

import pytest

from cascan.nmap.options.raw_sockets import ProcessPrivileges
from cascan_cli.commands import scan, submit
from cascan_cli.input import raw_sockets
from cascan_cli.local.lock import try_lock
from cascan_cli.local.state import Running, StateDir
from cascan_cli.main import main

WHY = "/usr/bin/nmap lacks cap_net_raw; run: setcap cap_net_raw,cap_net_bind_service+eip /usr/bin/nmap"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have gone to a stack."""
    asked: list[str] = []

    def access(_: object) -> object:
        asked.append("a stack")
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "open_stack", access)
    monkeypatch.setattr(submit, "open_stack", access)
    monkeypatch.setattr(raw_sockets, "find_raw_socket_problem", lambda nmap, process: WHY)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    return asked


@pytest.mark.parametrize("words", [["--", "-sS"], ["--type", "nmap-privileged"], ["--", "-O", "-p", "22"]])
def test_it_is_refused_with_the_command_that_helps(
    words: list[str], sent: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", "127.0.0.1", *words]) == 2
    said = capsys.readouterr().err
    assert "raw sockets are not available on this machine" in said
    assert "setcap cap_net_raw,cap_net_bind_service+eip /usr/bin/nmap" in said
    assert sent == []


def test_a_file_that_asks_for_them_is_refused_as_well(
    tmp_path: Path, sent: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scan.json"
    file.write_text(json.dumps({"targets": ["127.0.0.1"], "parameters": ["-sU"]}))
    assert main(["submit", "-f", str(file)]) == 2
    config = tmp_path / "config.toml"
    config.write_text('[servers.a]\nhost="10.0.0.1"\n[servers.a.portscan]\nscannerBinPath="nmap"\nhasPrivileged=true')
    assert main(["submit", "--vuls", str(config)]) == 2
    assert capsys.readouterr().err.count("setcap") == 2
    assert sent == []


@pytest.mark.parametrize("words", [["--", "-sT"], ["--", "-sV"], ["--stack", "NAME", "--", "-sS"], ["--", "--nope"]])
def test_whatever_needs_none_or_runs_elsewhere_goes_on(words: list[str], sent: list[str]) -> None:
    assert main(["scan", "127.0.0.1", *words]) == 130
    assert sent == ["a stack"]


def test_check_says_so_in_a_note(sent: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "10.0.0.1", "--", "-sS"]) == 0
    assert "note: raw sockets are not available on this machine" in capsys.readouterr().err
    assert main(["check", "10.0.0.1", "--", "-sT"]) == 0
    assert "raw sockets" not in capsys.readouterr().err


@pytest.mark.parametrize("is_up", [True, False])
def test_the_privileges_of_a_stack_that_is_up_count_instead_of_those_of_the_command(
    is_up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit of systemd has others: more with --system, fewer without."""
    state = StateDir(tmp_path)
    state.write_running(Running(os.getpid(), "2026-01-31T00:00:00Z"))
    privileges: list[object] = []
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    supervisor = try_lock(state.up_lock) if is_up else None

    def find_problem(_: str, process: object) -> str:
        privileges.append(process)
        return ""

    monkeypatch.setattr(raw_sockets, "find_raw_socket_problem", find_problem)
    raw_sockets.explain_missing_raw_sockets(Namespace(stack=None, state_dir=tmp_path))
    own = ProcessPrivileges.of(Path("/proc/self/status").read_text())
    assert privileges == [own if is_up else None]
    if supervisor:
        supervisor.release()
