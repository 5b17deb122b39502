"""A process of the stack, under its keeper: it ends with everything it started, when we ask or when we are gone."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cascan_cli.local.keeper import NONE, STOP
from cascan_cli.local.private import PRIVATE_UMASK, open_for_writing

KEEPER = Path(__file__).with_name("keeper.py")
MARGIN_S = 15.0  # beyond the grace, for the keeper to clear up


class Process:
    """A command that runs under cascan_cli/local/keeper.py.

    What it prints goes to `log`; its environment is `environment`, whole. `status_file` gets its exit code in any case,
    also after we are gone; `lock_fds` stay open in the keeper for as long as anything of it runs. A stop waits, for a
    moment, until nobody holds a lock on `after`.
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
        after: Path | None = None,
        lock_fds: Sequence[int] = (),
    ) -> None:
        self.grace_s = grace_s
        self._asked_to_stop = False
        with open_for_writing(log) as sink:
            self._keeper = subprocess.Popen(  # noqa: S603 - an argument list, made here or read from our own stack
                [sys.executable, "-I", "-S", KEEPER, str(grace_s), *map(_word, (status_file, after)), *command],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env=dict(environment),
                umask=PRIVATE_UMASK,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is for the command line; it tells us
                pass_fds=tuple(lock_fds),
            )

    @property
    def pid(self) -> int:
        return self._keeper.pid

    def exit_code(self) -> int | None:
        """None while it runs; 128 + n when signal n ended it."""
        code = self._keeper.poll()
        if code is not None:
            self._close()
        return code

    def ask_to_stop(self) -> None:
        """SIGTERM to the command now, SIGKILL to it and its children after the grace. Returns at once."""
        if self._asked_to_stop:
            return
        self._asked_to_stop = True
        stdin = self._keeper.stdin
        if stdin is not None and not stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # the keeper is gone
                stdin.write(STOP)
                stdin.flush()

    def kill(self) -> None:
        """No grace, or no more of it. Returns at once."""
        self.ask_to_stop()
        self._keeper.send_signal(signal.SIGTERM)

    def stop(self, within_s: float | None = None) -> int:
        """Stop and wait, `within_s` instead of the grace if that is shorter; the exit code."""
        self.ask_to_stop()
        try:
            code = self._keeper.wait(self.grace_s + MARGIN_S if within_s is None else within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._keeper.wait(MARGIN_S)
        self._close()
        return code

    def _close(self) -> None:
        """Our end of its standard input; open until now, it tells the keeper that we live."""
        if self._keeper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.close()


def _word(path: Path | None) -> str:
    return NONE if path is None else str(path)
