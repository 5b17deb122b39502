"""Run the stack in this process: emulator, deployment and task agent.

They are started in this order and stopped in reverse.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cascan.limits import MAX_REPORT_BYTES
from cascan_cli.errors import LimitTooLow
from cascan_cli.local.deployment import find_current_outputs, update_deployment
from cascan_cli.local.emulator import Emulator
from cascan_cli.local.lock import Lock
from cascan_cli.local.state import StateDir
from cascan_cli.local.warm_up import warm_up

FUNCTIONS = "functions"  # beside the template


@dataclass(frozen=True, slots=True)
class ResourceNeed:
    """What a process of the stack needs at least.

    `unit` is how much the shell's `ulimit` counts as 1.
    """

    limit: int
    option: str
    description: str
    minimum: int
    unit: int = 1


BLOCKS = "blocks of 1024 bytes in a file"
NEEDS = (
    # 64 MB a thread
    ResourceNeed(resource.RLIMIT_AS, "-v", "kB of address space", 4_000_000_000, 1024),
    ResourceNeed(resource.RLIMIT_DATA, "-d", "kB of data", 2_000_000_000, 1024),
    ResourceNeed(resource.RLIMIT_FSIZE, "-f", BLOCKS, MAX_REPORT_BYTES, 1024),
    ResourceNeed(resource.RLIMIT_NOFILE, "-n", "open files", 256),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """The running stack. `emulator.check()` raises if it has ended."""

    emulator: Emulator
    outputs: Mapping[str, str]
    since: datetime


@contextmanager
def run_machine(
    state: StateDir,
    lock: Lock,
    template: Path,
    parameters: Mapping[str, str],
) -> Iterator[Machine]:
    """Run the stack during the block, and release the lock afterwards in any case.

    Raises: LimitTooLow, DiskFull, PortTaken, EmulatorFailed, DeployFailed: no process is left
    running.
    """
    try:
        check_limits()
        state.begin_run()
        since = datetime.now(UTC).replace(microsecond=0)  # task times come in whole seconds
        functions = template.parent / FUNCTIONS
        emulator = Emulator(state, lock.fd, functions)
        try:
            if find_current_outputs(state, template, parameters) is None:
                emulator.prepare_to_deploy()
            from cascan_cli.local.agent import TaskAgent  # boto3 loads while the emulator boots

            agent = TaskAgent(state, functions, since, lock.fd)
            emulator.wait_until_healthy()
            try:
                outputs = update_deployment(state, template, parameters)
                warm_up(emulator.endpoint)
                agent.start()
                yield Machine(emulator, outputs, since)
            finally:
                agent.close()
        finally:
            emulator.stop()
    finally:
        lock.release()


def check_limits() -> None:
    """Check the limits of this shell: one that is too low would cause an error far from its cause.

    Raises: LimitTooLow: names the limit and how to raise it.
    """
    for need in NEEDS:
        soft, hard = resource.getrlimit(need.limit)
        if soft == resource.RLIM_INFINITY or soft >= need.minimum:
            continue
        minimum = -(-need.minimum // need.unit)
        is_raisable = hard == resource.RLIM_INFINITY or hard >= need.minimum
        raise_it = f"Raise it: ulimit -S {need.option} {minimum}"
        other_shell = "Start it from a shell without that limit, or have its hard limit raised"
        raise LimitTooLow(
            f"this shell allows a process {soft // need.unit} {need.description} "
            f"(ulimit {need.option}), and the local stack needs {minimum}. "
            f"{raise_it if is_raisable else other_shell}"
        )
