"""`cascan worker`: which queue it drains, how nmap is run, and what it says that it lacks."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.shard import Lane
from cascan.model.vantage import Vantage
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan_cli.commands import worker
from cascan_cli.main import main
from tests.fakes import MemoryReportStore, MemoryScanTable

URL = "https://sqs.test/1/prod-vantage-office-connect"
OFFICE = Vantage(name="office", queues={"connect": URL})
LAB = Vantage(name="lab", queues={"connect": URL, "raw": f"{URL}-raw"}, namespace="lab")


class FakeDrain:
    """Logs as a drain does, and is stopped by a signal."""

    def __init__(self) -> None:
        self.stopped_by = 0

    def stop(self, signum: int, _frame: object) -> None:
        self.stopped_by = signum

    def run(self) -> None:
        told = {"scan_id": "s1", "shard": 3, "outcome": "complete", "error": ""}
        logging.getLogger("worker").info("shard run", extra=told)
        os.kill(os.getpid(), signal.SIGINT)


class Built:
    """What the command asked for; its drain."""

    def __init__(self) -> None:
        self.arguments: tuple[Any, ...] = ()
        self.options: dict[str, Any] = {}
        self.drain = FakeDrain()

    def __call__(self, *arguments: Any, **options: Any) -> FakeDrain:
        self.arguments, self.options = arguments, options
        return self.drain


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Built:
    table = MemoryScanTable()
    for vantage in (OFFICE, LAB):
        table.put_vantage(vantage)

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=table, reports=MemoryReportStore())

    built = Built()
    monkeypatch.setattr(worker, "open_stack", access)
    monkeypatch.setattr(worker, "read_permissions", lambda _: Permissions(Scope.of(["10.0.0.0/8"])))
    monkeypatch.setattr(worker, "_build_drain", built)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nmap")
    return built


def test_a_worker_drains_the_queue_of_its_vantage_until_a_signal(
    built: Built, capsys: pytest.CaptureFixture[str]
) -> None:
    handles = signal.getsignal(signal.SIGINT)
    assert main(["worker", "--vantage", "office"]) == 0

    vantage, lane, nmap, _ = built.arguments
    assert (vantage, lane, nmap) == (OFFICE, Lane.CONNECT, ("nmap",))
    assert built.drain.stopped_by == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is handles
    assert "shard run: scan_id s1, shard 3, outcome complete\n" in capsys.readouterr().err


def test_nmap_enters_the_namespace_of_a_vantage_and_the_worker_does_not(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os.path, "exists", lambda _: True)
    assert main(["worker", "--vantage", "lab", "--lane", "raw", "--idle-exit", "5"]) == 0
    assert built.arguments[1:3] == (Lane.RAW, ("nsenter", "--net=/run/netns/lab", "nmap"))
    assert built.options["idle_exit_s"] == 5


@pytest.mark.parametrize(
    ("arguments", "user", "code", "sentence"),
    [
        (["--vantage", "attic"], 0, 2, "--vantage: there is no vantage 'attic'"),
        (["--vantage", "office", "--lane", "raw"], 0, 2, "--lane: office has no queue for raw shards; it has connect"),
        (["--vantage", "lab"], 1000, 3, "only root may enter the network namespace lab"),
        (["--vantage", "lab"], 0, 3, "there is no network namespace /run/netns/lab"),
    ],
)
def test_what_a_worker_lacks_is_said(
    built: Built,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: list[str],
    user: int,
    code: int,
    sentence: str,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os.path, "exists", lambda _: False)
    assert main(["worker", *arguments]) == code
    assert sentence in capsys.readouterr().err
    assert not built.arguments
