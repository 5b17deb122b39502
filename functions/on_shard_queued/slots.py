"""Several workers in one container: copies of this process that run one shard each.

A slot is a process, not a thread: nmap's limits are set between fork and exec, where no other
thread may run. The container's own process is the first slot. It passes signals on to the others,
and ends after them.
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
SLOTS_VARIABLE = "WORKER_SLOTS"


class Slots:
    """The other slots. Each gets the same environment, except that it has no further slots."""

    def __init__(self, others: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        single = dict(environment) | {SLOTS_VARIABLE: "1"}
        self._processes = [
            subprocess.Popen(  # noqa: S603 - this program itself
                command,
                env=single,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - the first slot has no thread yet
            )
            for _ in range(others)
        ]

    def pass_on(self, signum: int) -> None:
        """Send the signal to the slots that still run."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signum)

    def wait(self) -> int:
        """Wait until all slots have ended; returns the highest exit code.

        A slot that was ended by a signal counts as 1.
        """
        codes = [process.wait() for process in self._processes]
        return max((abs(code) and 1 for code in codes), default=0)


def _end_with_parent() -> None:
    """In the child: get SIGTERM when the first slot is killed.

    Then the slot returns its shard and ends.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_other_slots(slots: int) -> Slots:
    """Start all slots except the first, which is this process."""
    return Slots(slots - 1, [sys.executable, "-m", "on_shard_queued.worker"], os.environ)
