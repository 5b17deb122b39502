"""Functions as forks of a process that has loaded what they share."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cascan_cli.local.fork_server import PROCESS_NAME
from cascan_cli.local.forks import LAYERS, CodeZip, ForkedProcess, Forks

FILES = {
    "cascan/__init__.py": "",
    "cascan/aws/__init__.py": "",
    "cascan/aws/clients.py": "dynamodb = sqs = s3 = events = forget = lambda: None\n",
    "cascan/shared.py": "import os\nLOADED_BY = os.getpid()\n",
    "on_scan_requested/__init__.py": "",
    "on_scan_requested/app.py": "import os\nfrom cascan.shared import LOADED_BY\nSETTING = os.environ['SETTING']\n",
    "on_other/__init__.py": "",
    "on_other/app.py": "from cascan.missing import anything\n",  # which is the problem of that function alone
    "edge/__init__.py": "",
}
SCRIPT = """
import os, sys
sys.path.insert(0, os.getcwd())
from on_scan_requested.app import LOADED_BY, SETTING
import cascan.later
print(LOADED_BY == os.getpid(), SETTING, cascan.later.WHERE, flush=True)
print("to the log", file=sys.stderr, flush=True)
sys.exit(len(sys.stdin.readline()))
"""
Start = Callable[..., Any]


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    return write_files(tmp_path / "functions", FILES)


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def forks(functions: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forks]:
    for name, value in {"MINISTACK_REGION": "here", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    started = Forks.start(str(functions))
    yield started
    started.close()


@pytest.fixture
def start(forks: Forks, script: Path, tmp_path: Path) -> Start:
    """Starts a process as the emulator does, in a copy of the code."""
    runtime: Any = ModuleType("runtime")
    forks.install(runtime)
    code = write_files(tmp_path / "code", FILES | {"cascan/later.py": "WHERE = __file__\n"})

    def start_function(program: str = sys.executable, **variables: str) -> Any:
        return runtime.subprocess.Popen(
            [program, str(script)],
            cwd=str(code),
            env={"PATH": os.environ["PATH"], "SETTING": "set", **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start_function


@contextmanager
def ended(process: Any) -> Iterator[Any]:
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def test_a_function_is_a_fork_with_its_own_environment_streams_and_code(start: Start, tmp_path: Path) -> None:
    with ended(start()) as process:
        assert isinstance(process, ForkedProcess)
        assert process.stdout.readline() == f"False set {tmp_path / 'code/cascan/later.py'}\n"
        assert process.stderr.readline() == "to the log\n"
        assert process.poll() is None
        process.stdin.write("12345\n")
        process.stdin.flush()
        assert process.wait(10) == process.poll() == 6


def test_a_function_ends_by_a_signal(start: Start) -> None:
    with ended(start()) as process:
        process.stdout.readline()
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM


def test_a_function_starts_anew_when_its_code_has_changed(start: Start, functions: Path) -> None:
    with ended(start()) as process:
        assert isinstance(process, ForkedProcess)
    (functions / "cascan" / "shared.py").write_text("LOADED_BY = 'a later version'\n")
    with ended(start()) as process:
        assert isinstance(process, subprocess.Popen)


def test_a_function_whose_layer_brings_packages_starts_anew(start: Start, tmp_path: Path) -> None:
    built, not_built = tmp_path / "built", tmp_path / "not-built"
    (built / "python").mkdir(parents=True)
    not_built.mkdir()
    with ended(start(**{LAYERS: str(not_built)})) as process:
        assert isinstance(process, ForkedProcess)
    with ended(start(**{LAYERS: f"{not_built}{os.pathsep}{built}"})) as process:
        assert isinstance(process, subprocess.Popen)


def test_a_function_starts_anew_when_the_fork_server_has_ended(start: Start, functions: Path) -> None:
    (functions / "on_scan_requested" / "app.py").write_text("from cascan.missing import anything\n")
    with ended(start()) as process:
        assert isinstance(process, subprocess.Popen)


def test_functions_end_with_a_killed_fork_server_and_then_start_anew(start: Start, forks: Forks) -> None:
    with ended(start()) as process:
        assert process.stdout.readline()
        assert Path(f"/proc/{process.pid}/comm").read_bytes().strip() == PROCESS_NAME
        forks.server.kill()
        assert process.wait(10) == -signal.SIGKILL
        assert process.stdout.read() == ""  # it has ended indeed
    with ended(start()) as process:
        assert isinstance(process, subprocess.Popen)


def test_a_request_that_was_given_up_ends_its_own_function_alone(start: Start, forks: Forks, script: Path) -> None:
    with ended(start()) as process:
        assert process.stdout.readline()
        request = {"script": str(script), "folder": str(script.parent), "environment": {"SETTING": "given up"}}
        ours, servers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.close()
        with servers, Path(os.devnull).open("rb") as nothing:
            fds = [nothing.fileno()] * 3 + [servers.fileno()]
            forks._fork(json.dumps(request).encode(), fds)
        with ended(start()) as next_process:  # the server has handled the request before this one
            assert isinstance(next_process, ForkedProcess)
        assert process.poll() is None


def test_code_is_unpacked_once_and_other_zips_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "code").mkdir(parents=True)
        for archive in ("code.zip", "layer_0.zip"):
            with zipfile.ZipFile(folder / archive, "w") as packed:
                packed.writestr(zipfile.ZipInfo("module.py"), "")  # of one time, as both have one digest
        with CodeZip(folder / "code.zip") as packed:
            packed.extractall(str(folder / "code"))
        with CodeZip(folder / "layer_0.zip") as packed:
            packed.extractall(str(folder / "layer_0"))
    modules = [tmp_path / name / "code" / "module.py" for name in ("one", "two")]
    assert modules[0].samefile(modules[1])
    assert not (tmp_path / "one/layer_0").is_symlink()
    assert (tmp_path / "one/layer_0/module.py").exists()
