"""The process that functions of the local stack are forked from, with what they import loaded already.

    python -P fork_server.py FUNCTIONS_FOLDER SOCKET_FD

A function takes most of its start for imports and AWS clients. This process loads them once, while
the emulator starts, and each function then begins as a fork of it. It loads whatever the app
modules import, but no app module, because those read the environment of their function. It serves once
it has what each scan needs (FIRST), and loads the rest while it has nothing else to do.

The emulator sends a request for each function with the function's standard streams and a control
socket (forks.py has the other end). The answer on the control socket is the process id, and later
the exit code. A signal number on it is passed on to the process; its end kills the process. When
the emulator ends, this process ends with all its forks. ADR 56 has the reasons.

This script imports nothing of the command.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_NAME = 15
PROCESS_NAME = b"cascan-function"  # of the forks, as `ps` shows it: 15 bytes at most
MAX_REQUEST_BYTES = 200_000  # mostly the environment of a function, which Lambda limits to 4 KB
STREAMS = 3  # standard input, output and error
SHARED = ("cascan", "on_", "aws_lambda_powertools")  # what app modules import, but for `edge`
ENTRY_POINTS = ("on_*/app.py", "edge/*.py")
# Those that every scan uses, in the order in which it does
FIRST = (
    "edge/*.py",
    "on_scan_requested/app.py",
    "on_shard_queued/app.py",
    "on_report_stored/app.py",
    "on_scan_completed/app.py",
)
REFUSED = "the code has changed"
# The variables that the AWS clients were built from
CLIENT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "STACK_REGION")
Stamp = tuple[int, int]


def main(folder: str, socket_fd: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    functions = Path(folder)
    sources = dict(_read_stamps(functions))
    sys.path.insert(0, folder)
    gc.disable()  # a tenth of the time of the imports
    for name in _find_shared_modules(functions, FIRST):
        importlib.import_module(name)
    _build_clients()
    gc.freeze()  # the forks share this memory
    gc.enable()
    others = _find_shared_modules(functions, ENTRY_POINTS)
    _Server(functions, sources, socket.socket(fileno=int(socket_fd)), others).serve()


def _read_stamps(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Size and time of each module, by which a changed one is recognised."""
    for path in folder.rglob("*.py"):
        status = path.stat()
        yield path, (status.st_size, status.st_mtime_ns)


def _find_shared_modules(functions: Path, entry_points: Sequence[str]) -> Iterator[str]:
    """The modules that the entry points import at their top, apart from entry points."""
    for pattern in entry_points:
        for path in sorted(functions.glob(pattern)):
            for node in ast.parse(path.read_bytes()).body:
                module = node.module if isinstance(node, ast.ImportFrom) else None
                if module and module.startswith(SHARED) and not module.endswith(".app"):
                    yield module


def _build_clients() -> None:
    """The clients that nearly every function uses. They have not connected yet, and can be shared."""
    from cascan.aws import clients

    for build in (clients.dynamodb, clients.sqs, clients.s3, clients.events):
        build()


class _Server:
    """Forks a process for each request, and reports the end of each. Imports `modules` in between."""

    def __init__(
        self, functions: Path, sources: dict[Path, Stamp], requests: socket.socket, modules: Iterator[str]
    ) -> None:
        self._functions = functions
        self._sources = sources
        self._requests = requests
        self._modules: Iterator[str] | None = modules  # None: all are imported
        self._controls: dict[int, socket.socket] = {}  # by process id
        self._signals, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)

    def serve(self) -> None:
        """Serve until the emulator closes its end of the socket."""
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while True:
                inputs: list[Any] = [self._requests, self._signals, *self._controls.values()]
                ready, _, _ = select.select(inputs, [], [], 0 if self._modules else None)
                if not ready:
                    self._import_next()
                if self._signals in ready:
                    os.read(self._signals, 4096)
                    self._reap()
                for pid, control in list(self._controls.items()):
                    if control in ready:
                        self._pass_signal_on(pid, control)
                if self._requests in ready and not self._accept():
                    return
        finally:
            for pid in self._controls:
                os.kill(pid, signal.SIGKILL)

    def _import_next(self) -> None:
        """Import one more module. A function whose modules are missing imports them itself."""
        name = next(self._modules, None) if self._modules else None
        if name is None:
            self._modules = None
            gc.freeze()
            return
        with suppress(Exception):  # its function fails with the same error, and says so
            importlib.import_module(name)

    def _accept(self) -> bool:
        """Handle one request. False: the emulator has ended."""
        message, fds, _, _ = socket.recv_fds(self._requests, MAX_REQUEST_BYTES, STREAMS + 1)
        if not message:
            return False
        streams, control = fds[:STREAMS], socket.socket(fileno=fds[STREAMS])
        try:
            pid = self._fork(message, streams)
        finally:
            for fd in streams:
                os.close(fd)
        with suppress(OSError):  # the emulator waits no more: the end of its control socket ends the function
            control.send(str(pid or REFUSED).encode())
        if pid:
            self._controls[pid] = control
        else:
            control.close()
        return True

    def _fork(self, message: bytes, streams: list[int]) -> int | None:
        """The process id of the function. None: it has to start anew, or there are too many processes."""
        if self._has_changed():
            return None
        try:
            pid = os.fork()
        except OSError:
            return None
        if pid == 0:
            self._become_function(json.loads(message), streams)
        return pid

    def _has_changed(self) -> bool:
        """Whether a module was changed since the start of this process, which has loaded the old one."""
        try:
            return self._sources != dict(_read_stamps(self._functions))
        except OSError:  # one was deleted meanwhile
            return True

    def _become_function(self, request: dict[str, Any], streams: list[int]) -> None:
        """In the new process: run the emulator's script for a function, and end."""
        code = 1
        try:
            libc = ctypes.CDLL(None)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            libc.prctl(PR_SET_NAME, PROCESS_NAME)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            for control in self._controls.values():
                control.close()
            self._requests.close()
            for number, fd in enumerate(streams):
                os.dup2(fd, number)
            os.closerange(STREAMS, 256)
            _run(request, self._functions)
            code = 0
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 1
        except BaseException:  # noqa: BLE001 - this process must not go on as a second server
            sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)

    def _pass_signal_on(self, pid: int, control: socket.socket) -> None:
        try:
            number = control.recv(16)
        except OSError:  # it was closed without a look at our answer
            number = b""
        # It is not reaped yet, so no other process has its id
        os.kill(pid, int(number or signal.SIGKILL))
        if not number:
            del self._controls[pid]
            control.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            control = self._controls.pop(pid, None)
            if control:
                with suppress(OSError):  # the emulator has closed its end
                    control.send(str(os.waitstatus_to_exitcode(status)).encode())
                control.close()


def _run(request: dict[str, Any], functions: Path) -> None:
    environment, script = request["environment"], request["script"]
    has_same_clients = all(environment.get(name) == os.environ.get(name) for name in CLIENT_VARIABLES)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(request["folder"])
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - until the process ends
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = [script]
    _use_code(functions, Path(request["folder"]))
    if not has_same_clients:
        from cascan.aws import clients

        clients.forget()
    runpy.run_path(script, run_name="__main__")


def _use_code(functions: Path, code: Path) -> None:
    """Import further modules from the deployed code, which is a copy of the functions folder."""
    sys.path.remove(str(functions))
    for module in list(sys.modules.values()):
        paths = getattr(module, "__path__", None)
        if isinstance(paths, list):
            paths[:] = [_move(path, functions, code) for path in paths]


def _move(path: str, functions: Path, code: Path) -> str:
    return str(code / Path(path).relative_to(functions)) if Path(path).is_relative_to(functions) else path


if __name__ == "__main__":
    main(*sys.argv[1:])
