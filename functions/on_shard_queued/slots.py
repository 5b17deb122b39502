"""Several workers side by side in one container: copies of this process, one shard each.

A process a slot, not a thread: nmap is started between fork and exec with limits set there, which no other thread may
disturb. The first is the container's own process: it passes signals on, and ends after the others.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

PR_SET_PDEATHSIG = 1  # Source: prctl(2)
_libc = ctypes.CDLL(None)
SLOTS_VARIABLE = "WORKER_SLOTS"  # the variable that says how many


class Slots:
    """The other slots. They get the environment as it is, and one slot each."""

    def __init__(self, others: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        alone = dict(environment) | {SLOTS_VARIABLE: "1"}
        self._processes = [
            subprocess.Popen(  # noqa: S603 - this program itself
                command,
                env=alone,
                preexec_fn=_end_with_us,  # noqa: PLW1509 - the first slot has no thread yet
            )
            for _ in range(others)
        ]

    def pass_on(self, signum: int) -> None:
        """Send the signal to those that still run."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signum)

    def wait(self) -> int:
        """The worst of their exit codes, once all have ended; 1 for a slot that a signal ended."""
        codes = [process.wait() for process in self._processes]
        return max((abs(code) and 1 for code in codes), default=0)


def _end_with_us() -> None:
    """In the child: SIGTERM when the first slot is killed. Its shard goes back, and nobody is left to wait for it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_other_slots(slots: int) -> Slots:
    """Start all but the first of `slots`."""
    return Slots(slots - 1, [sys.executable, "-m", "on_shard_queued.worker"], os.environ)
