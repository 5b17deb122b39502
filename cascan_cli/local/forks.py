"""In the emulator: start functions as forks of a process that has loaded what they share.

    forks = Forks.start(functions_folder)     before the emulator is imported: both load at once
    forks.install(ministack.core.lambda_runtime)

The emulator starts `python worker-script` for a function. After `install`, that gives a fork of
fork_server.py with the same environment, folder and streams. Whatever cannot be forked starts as
before: other programs, functions whose layers bring packages (other versions of what is loaded),
and functions whose code has changed since the fork server started.

The code of a function is unpacked once for all functions that share it.

This script imports nothing of the project.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from types import ModuleType
from typing import IO, Any

SERVER = Path(__file__).with_name("fork_server.py")
LAYERS = "_LAMBDA_LAYERS_DIRS"
FORK_TIMEOUT_S = 60.0  # the server loads its modules first, which takes 1 s
POLL_S = 0.01
CODE_ZIP = "code.zip"  # the emulator's name of it
UNPACKED = "ministack-lambda-code-"  # leftovers.py clears folders with this prefix after a day


class NotForked(Exception):
    """The process has to be started in another way."""


class Forks:
    """The fork server, and the processes it starts."""

    def __init__(self, requests: socket.socket, server: subprocess.Popen[bytes]) -> None:
        self._requests = requests
        self.server = server
        self._lock = threading.Lock()

    @classmethod
    def start(cls, functions: str) -> Forks:
        """Start the fork server. It ends when this process does."""
        ours, servers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        region = os.environ["MINISTACK_REGION"]
        # What the emulator gives a function, so that clients can be built before
        clients = {
            "AWS_ENDPOINT_URL": f"http://{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        }
        with servers:
            server = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-P", str(SERVER), functions, str(servers.fileno())],
                pass_fds=(servers.fileno(),),
                stdin=subprocess.DEVNULL,
                env=os.environ | clients,
            )
        return cls(ours, server)

    def close(self) -> None:
        """End the fork server and all its forks, and wait for it."""
        self._requests.close()
        self.server.wait()

    def install(self, runtime: ModuleType) -> None:
        """Make the emulator's module use forks."""
        changed = ModuleType("subprocess with forks")
        changed.__dict__.update(vars(subprocess), Popen=self._open)
        unpacking = ModuleType("zipfile with shared folders")
        unpacking.__dict__.update(vars(zipfile), ZipFile=CodeZip)
        names: Any = runtime
        names.subprocess, names.zipfile = changed, unpacking

    def _open(self, command: list[str], **options: Any) -> Any:
        """As subprocess.Popen."""
        environment = options.get("env") or {}
        if command[0] == sys.executable and not _brings_packages(environment.get(LAYERS, "")):
            try:
                return ForkedProcess(self._fork, command[1], options["cwd"], environment)
            except (NotForked, OSError):
                pass  # the fork server has ended or refused: a process of its own does the same, later
        return subprocess.Popen(command, **options)  # noqa: S603 - the emulator's command

    def _fork(self, message: bytes, fds: list[int]) -> None:
        with self._lock:
            socket.send_fds(self._requests, [message], fds)


def _brings_packages(layers: str) -> bool:
    """Whether a layer holds Python packages. Those of a checkout are not built, and hold none."""
    return any((Path(layer) / "python").is_dir() for layer in layers.split(os.pathsep) if layer)


class ForkedProcess:
    """A forked function, with the part of Popen's interface that the emulator uses.

    Raises: NotForked: the fork server refuses, or has ended.
    """

    def __init__(self, fork: Any, script: str, folder: str, environment: dict[str, str]) -> None:
        request = {"script": script, "folder": str(Path(folder).resolve()), "environment": environment}
        self._control, servers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pipes = [os.pipe() for _ in range(3)]
        (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = pipes
        self.stdin: IO[str] = os.fdopen(to_stdin, "w", 1, encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(from_stdout, encoding="utf-8", errors="replace")
        self.stderr: IO[str] = os.fdopen(from_stderr, encoding="utf-8", errors="replace")
        try:
            with servers:
                fork(json.dumps(request).encode(), [stdin, stdout, stderr, servers.fileno()])
            self.pid = self._receive_pid()
        except BaseException:
            for stream in (self._control, self.stdin, self.stdout, self.stderr):
                stream.close()
            raise
        finally:
            for fd in (stdin, stdout, stderr):
                os.close(fd)
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def _receive_pid(self) -> int:
        self._control.settimeout(FORK_TIMEOUT_S)
        answer = self._control.recv(64)
        self._control.setblocking(False)
        if not answer.isdigit():
            raise NotForked(answer.decode())
        return int(answer)

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                try:
                    code = self._control.recv(16)
                except BlockingIOError:
                    return None
                except OSError:
                    code = b""
                # Without a code the fork server has ended, which kills its forks
                self.returncode = int(code) if code else -signal.SIGKILL
                self._control.close()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (FORK_TIMEOUT_S if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"function {self.pid}", timeout or FORK_TIMEOUT_S)
            time.sleep(POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            self._control.send(str(int(number)).encode())

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class CodeZip(zipfile.ZipFile):
    """A zip whose code is unpacked once: `extractall` makes its folder a link to that copy."""

    def extractall(self, path: Any = None, *arguments: Any, **options: Any) -> None:
        if self.filename is None or Path(self.filename).name != CODE_ZIP:
            super().extractall(path, *arguments, **options)
            return
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        copy = Path(tempfile.gettempdir()) / f"{UNPACKED}{digest[:32]}"
        if not copy.is_dir():
            self._unpack(copy)
        os.utime(copy)
        folder = Path(path)
        folder.rmdir()
        folder.symlink_to(copy)

    def _unpack(self, copy: Path) -> None:
        """Unpack beside the copy first: it is complete, or it does not exist."""
        draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}-"))
        super().extractall(draft)
        try:
            draft.rename(copy)
        except OSError:  # another thread was faster
            shutil.rmtree(draft)
