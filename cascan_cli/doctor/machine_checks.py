"""Checks of this machine, and of the stack on it. They start nothing and change nothing in a stack."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cascan.nmap.options.raw_sockets import find_raw_socket_problem
from cascan_cli.doctor.check import Check, Result
from cascan_cli.local.attach import find_running_stack
from cascan_cli.local.deployment import TEMPLATE, find_current_outputs
from cascan_cli.local.endpoint import Listener
from cascan_cli.local.private import OTHERS
from cascan_cli.local.state import FOLDERS, LEAST_FREE_BYTES
from cascan_cli.stack.open import NMAP_MISSING

if TYPE_CHECKING:
    from cascan_cli.local.state import StateDir

VERSION_TIMEOUT_S = 20
LITTLE_FREE_BYTES = 1_000_000_000
NMAP_VERSION = re.compile(r"Nmap version (\S{1,20})")


def machine_checks(state: StateDir) -> list[Check]:
    return [
        Check("nmap", lambda: check_nmap(shutil.which("nmap"))),
        Check("raw sockets", lambda: check_raw_sockets(shutil.which("nmap"))),
        Check("state directory", lambda: check_permissions(state)),
        Check("disk", lambda: check_disk(state.root)),
        Check("port", lambda: check_port(state)),
        Check("supervisor", lambda: check_supervisor(state)),
        Check("deployment", lambda: check_deployment(state)),
    ]


def check_nmap(nmap: str | None) -> Iterator[Result]:
    if nmap is None:
        problem, _, remedy = NMAP_MISSING.partition(". ")
        yield Result.problem(problem, remedy)
        return
    done = subprocess.run(  # noqa: S603 - a fixed program without a shell
        [nmap, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
    )
    version = NMAP_VERSION.search(done.stdout)
    if version:
        yield Result.ok(f"nmap {version[1]} at {nmap}")
    else:
        yield Result.problem(
            f"{nmap} does not print its version, exit code {done.returncode}", "install nmap again, or mend PATH"
        )


def check_raw_sockets(nmap: str | None) -> Iterator[Result]:
    if nmap is None:
        yield Result.warning("not checked: nmap is not installed", "install nmap")
        return
    reason = find_raw_socket_problem(str(Path(nmap).resolve()))
    if reason:
        sentence, _, remedy = reason.partition("; run: ")
        yield Result.warning(
            f"SYN and UDP scans and OS detection are refused: {sentence}", remedy or "run cascan where it is allowed"
        )
    else:
        yield Result.ok("raw sockets are available")


def check_permissions(state: StateDir) -> Iterator[Result]:
    """Nobody else can read the state directory."""
    folders = [state.root, *(state.root / folder for folder in FOLDERS)]
    readable = [folder for folder in folders if folder.stat().st_mode & OTHERS]
    if readable:
        yield Result.problem(f"other users have access to {readable[0]}", f"chmod -R go= {state.root}")
    else:
        yield Result.ok(f"{state.root} is private")


def check_disk(folder: Path) -> Iterator[Result]:
    free = shutil.disk_usage(folder).free
    sentence = f"{free // 1_000_000} MB free for {folder}"
    if free < LEAST_FREE_BYTES:
        yield Result.problem(f"only {sentence}: the stack does not start", "free some space, or use --state-dir")
    elif free < LITTLE_FREE_BYTES:
        yield Result.warning(f"only {sentence}", "free some space, or use --state-dir")
    else:
        yield Result.ok(sentence)


def check_port(state: StateDir) -> Iterator[Result]:
    port = state.port()
    match state.endpoint().listener():
        case Listener.SOMEBODY:
            yield Result.problem(
                f"another program listens on port {port}, which this state directory uses",
                f"end that program, or delete {state.root / 'machine.json'} for another port",
            )
        case Listener.GUARD:
            yield Result.ok(f"the stack listens on port {port}")
        case _:
            yield Result.ok(f"port {port} is free")


def check_supervisor(state: StateDir) -> Iterator[Result]:
    running = find_running_stack(state)
    if running:
        yield Result.ok(f"process {running.pid} keeps the stack up since {running.since}")
    elif state.running():
        yield Result.warning(
            "the process that kept the stack up was killed: scheduled and unfinished scans wait", "cascan local up"
        )
    else:
        yield Result.ok("no stack is kept up; each command starts one, and scheduled scans wait for cascan local up")


def check_deployment(state: StateDir) -> Iterator[Result]:
    """What is deployed is this version of the code."""
    deployment = state.deployment()
    if deployment is None:
        yield Result.ok("nothing is deployed yet; the first command deploys")
    elif find_current_outputs(state, TEMPLATE, deployment.parameters) is None:
        yield Result.warning("the stack was deployed from other code than this", "cascan local up")
    else:
        yield Result.ok("the stack is up to date with the code")
