"""systemd learns when the stack is up."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cascan_cli.local.notify import READY, VARIABLE, notify_systemd


@pytest.mark.parametrize("is_abstract", [False, True])
def test_a_service_manager_gets_the_state(is_abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"@cascan-{tmp_path.name}-{id(tmp_path)}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(10)
        monkeypatch.setenv(VARIABLE, name)
        assert notify_systemd(READY)
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("name", ["", "relative", "/nonexistent/notify"])
def test_without_one_nothing_is_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, name)
    assert not notify_systemd(READY)
