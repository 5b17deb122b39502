"""A process of the stack, under its keeper: it ends with everything it started, when we ask or when we are gone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.local.private import PRIVATE_UMASK, open_for_writing

KEEPER = Path(__file__).with_name("keeper.py")
MARGIN_S = 15.0  # beyond the grace, for the keeper to clear up


class Process:
    """A command that runs under cli/local/keeper.py.

    What it prints goes to `log`; its environment is `environment`, whole. `status_file` gets its exit code in any case,
    also after we are gone; `lock_fd` stays open in the keeper for as long as anything of it runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        log: Path,
        grace_s: float,
        status_file: Path | None = None,
        lock_fd: int | None = None,
    ) -> None:
        self.grace_s = grace_s
        with open_for_writing(log) as sink:
            self._keeper = subprocess.Popen(  # noqa: S603 - an argument list, made here or read from our own stack
                [sys.executable, "-I", "-S", KEEPER, str(grace_s), str(status_file or "-"), *command],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env=dict(environment),
                umask=PRIVATE_UMASK,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is for the command line; it tells us
                pass_fds=() if lock_fd is None else (lock_fd,),
            )

    @property
    def pid(self) -> int:
        return self._keeper.pid

    def exit_code(self) -> int | None:
        """None while it runs; 128 + n when signal n ended it."""
        code = self._keeper.poll()
        if code is not None:
            self.ask_to_stop()  # closes our end
        return code

    def ask_to_stop(self) -> None:
        """SIGTERM to the command now, SIGKILL to it and its children after the grace. Returns at once."""
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()

    def kill(self) -> None:
        """No grace, or no more of it. Returns at once."""
        self.ask_to_stop()
        self._keeper.send_signal(signal.SIGTERM)

    def stop(self, within_s: float | None = None) -> int:
        """Stop and wait, `within_s` instead of the grace if that is shorter; the exit code."""
        self.ask_to_stop()
        try:
            return self._keeper.wait(self.grace_s + MARGIN_S if within_s is None else within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._keeper.wait(MARGIN_S)
