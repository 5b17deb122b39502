"""The process that runs nmap: what it inherits, how it ends, what is left of it. A Python script stands in for nmap."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from cascan.limits import MAX_STDERR_CHARS
from cascan.scans.transitions import StopReason
from on_shard_queued import nmap_process
from on_shard_queued.nmap_process import NmapResult, never_stop, run_nmap
from tests.support.waiting import eventually

WAIT = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('<nmaprun>'); time.sleep(60)"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report.xml"


def run(program: str, report: Path, *, on_tick: nmap_process.OnTick = never_stop) -> NmapResult:
    return run_nmap([sys.executable, "-c", program, str(report)], report.parent, report, 60, on_tick)


def test_nmap_inherits_no_environment_no_terminal_and_no_files(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    monkeypatch.setenv("NMAP_ARGS", "-oN /tmp/written")
    look = (
        "import json, os, sys; json.dump([dict(os.environ), os.listdir(), os.getsid(0) == os.getpid(), "
        "os.readlink('/proc/self/fd/0'), os.umask(0)], open(sys.argv[1], 'w'))"
    )
    assert run(look, report) == NmapResult(0)
    environment, working_directory, leads_its_session, stdin, umask = json.loads(report.read_text())
    environment.pop("LC_CTYPE", None)  # Python's own coercion
    assert environment == {"PATH": "/usr/bin:/bin", "LANG": "C"}
    assert working_directory == []
    assert leads_its_session
    assert (stdin, umask) == ("/dev/null", 0o077)


def test_what_nmap_says_is_kept_in_printable_characters_up_to_its_limit(report: Path) -> None:
    ended = run("import sys; sys.stderr.write('bad\\x1b[31m flag\\n' + 'x' * 100_000); sys.exit(255)", report)
    assert (ended.exit_code, ended.stderr[:12]) == (255, "bad[31m flag")
    assert len(ended.stderr) <= MAX_STDERR_CHARS


@pytest.fixture
def past_deadline(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still until the report is begun, and is then past any deadline."""
    clock = SimpleNamespace(monotonic=lambda: 10_000.0 if is_begun(report) else 0.0)
    monkeypatch.setattr(nmap_process, "time", clock)
    monkeypatch.setattr(nmap_process, "TICK_S", 0.05)


def is_begun(report: Path) -> bool:
    return report.exists() and report.read_text() == "<nmaprun>"


@pytest.mark.usefixtures("past_deadline")
def test_nmap_is_stopped_at_its_deadline_and_its_report_stays(report: Path) -> None:
    ended = run(WAIT, report)
    assert (ended.exit_code, ended.stopped) == (-15, StopReason.TIME_LIMIT)
    assert report.read_text() == "<nmaprun>"


def test_the_caller_can_stop_nmap_and_say_why(report: Path) -> None:
    assert run(WAIT, report, on_tick=lambda: StopReason.WORKER).stopped is StopReason.WORKER


@pytest.mark.usefixtures("past_deadline")
def test_nmap_that_ignores_sigterm_is_killed(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmap_process, "GRACE_S", 0.3)
    ended = run("import signal; signal.signal(15, signal.SIG_IGN);" + WAIT, report)
    assert ended.exit_code == -9


def test_a_report_past_its_limit_ends_nmap(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmap_process, "MAX_REPORT_BYTES", 10_000)
    ended = run(
        "import sys, signal; signal.signal(25, signal.SIG_DFL); open(sys.argv[1], 'w').write('x' * 99_999)", report
    )
    assert (ended.stopped, report.stat().st_size) == (StopReason.SIZE, 10_000)


def test_nothing_of_nmap_is_left_when_the_caller_fails(report: Path) -> None:
    pid: list[int] = []

    def fail() -> NoReturn:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        pid.append(int(children[-1]))
        raise RuntimeError("the queue is gone")

    with pytest.raises(RuntimeError, match="the queue is gone"):
        run(WAIT, report, on_tick=fail)
    eventually(lambda: not Path(f"/proc/{pid[0]}").exists())
