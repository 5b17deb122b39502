"""Run the `cascan` command in a process of its own that need not import everything again.

A server process imports the modules of the command once. Each command runs in a fork of it, with its own arguments,
environment, standard streams and exit code. Half of the time of a short command is spent on imports, and the
end-to-end tests run hundreds of short commands.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

PRELOADED = ("tests.e2e.forked_command", "tests.e2e.command_modules")
CLONE_NEWNET = 0x40000000  # of <linux/sched.h>
READ, WRITE = os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Command:
    """What a command receives from the process that starts it; the streams are files."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    network: Path | None  # a network namespace
    umask: int
    stdin: Path
    stdout: Path
    stderr: Path


def run_forked(
    arguments: Sequence[str],
    *,
    stdin: bytes,
    folder: Path,
    environment: Mapping[str, str],
    network: Path | None,
    timeout_s: float,
) -> tuple[int, bytes, bytes]:
    """The exit code of `cascan ARGUMENTS…`, its standard output and its standard error.

    Raises: subprocess.TimeoutExpired: the command had to be killed.
    """
    with tempfile.TemporaryDirectory() as name:
        streams = {stream: Path(name, stream) for stream in ("stdin", "stdout", "stderr")}
        streams["stdin"].write_bytes(stdin)
        command = Command(arguments, folder, environment, network, _umask(), **streams)
        process = _server().Process(target=_execute, args=(command,))
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout_s)
        return process.exitcode, streams["stdout"].read_bytes(), streams["stderr"].read_bytes()


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _execute(command: Command) -> None:
    """Become the command; in the forked process."""
    from cascan_cli.main import main  # noqa: PLC0415 - the process of the tests has no need of it

    for number, path, flags in ((0, command.stdin, READ), (1, command.stdout, WRITE), (2, command.stderr, WRITE)):
        file = os.open(path, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - as at the start of a process, until its end
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    if command.network:
        _enter(command.network)
    os.environ.clear()
    os.environ.update(command.environment)
    os.umask(command.umask)
    os.chdir(command.folder)
    sys.argv = ["cascan", *command.arguments]
    sys.exit(main())


def _enter(network: Path) -> None:
    """Move this process to a network namespace. Raises: OSError: not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns() came with Python 3.12
    with network.open("rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter the network namespace", str(network))
