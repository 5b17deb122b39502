"""The stack held by this process: emulator, deployment, task agent; up in this order, down in the reverse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cascan_cli.local.deployment import find_current_outputs, update_deployment
from cascan_cli.local.emulator import Emulator
from cascan_cli.local.limits import check_limits
from cascan_cli.local.lock import Lock
from cascan_cli.local.state import StateDir
from cascan_cli.local.warm_up import warm_up

FUNCTIONS = "functions"  # beside the template


@dataclass(frozen=True, slots=True)
class Machine:
    """What runs. `emulator.check()` tells whether it still does."""

    emulator: Emulator
    outputs: Mapping[str, str]
    since: datetime


@contextmanager
def run_machine(state: StateDir, lock: Lock, template: Path, parameters: Mapping[str, str]) -> Iterator[Machine]:
    """Run the stack for the length of the block; the lock is released after it, whatever happens.

    Raises: LimitTooLow, DiskFull, PortTaken, EmulatorFailed, DeployFailed: nothing is left running.
    """
    try:
        check_limits()
        state.begin_run()
        since = datetime.now(UTC).replace(microsecond=0)  # task times come in whole seconds
        emulator = Emulator(state, lock.fd)
        try:
            if find_current_outputs(state, template, parameters) is None:
                emulator.prepare_to_deploy()
            from cascan_cli.local.agent import TaskAgent  # boto3 loads while the emulator boots

            agent = TaskAgent(state, template.parent / FUNCTIONS, since, lock.fd)
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
