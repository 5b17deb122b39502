"""A process of the stack under its keeper.

The keeper ends it with all its descendants, on request or after our end.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cascan_cli.local.keeper import KILL, NONE, STOP
from cascan_cli.local.private import PRIVATE_UMASK, open_for_writing

KEEPER = Path(__file__).with_name("keeper.py")
# The next command waits for this; a worker needs 1 or 2 s to stop nmap and return its shard
ORPHAN_GRACE_S = 5.0
MARGIN_S = 15.0  # beyond the grace, for the keeper to kill what is left


class Process:
    """A command that runs under cascan_cli/local/keeper.py.

    Its output goes to `log`; `environment` is its complete environment. `status_file` gets its exit
    code, even after our end. The keeper holds `lock_fds` open until all processes of the command
    have ended. A stop first waits up to `orphan_grace_s` until no process holds a lock on `after`;
    the command has at most as long to end after our end.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        log: Path,
        grace_s: float,
        orphan_grace_s: float = ORPHAN_GRACE_S,
        status_file: Path | None = None,
        after: Path | None = None,
        lock_fds: Sequence[int] = (),
    ) -> None:
        self.grace_s = grace_s
        self._asked_to_stop = False
        keeper_arguments = (
            str(grace_s),
            str(orphan_grace_s),
            _to_argument(status_file),
            _to_argument(after),
        )
        with open_for_writing(log) as sink:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own argument list
                [sys.executable, "-I", "-S", KEEPER, *keeper_arguments, *command],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env=dict(environment),
                umask=PRIVATE_UMASK,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is for the command line, which stops us
                pass_fds=tuple(lock_fds),
            )

    @property
    def pid(self) -> int:
        return self._keeper.pid

    def exit_code(self) -> int | None:
        """None while it runs; 128 + n if signal n ended it."""
        code = self._keeper.poll()
        if code is not None:
            self._close()
        return code

    def ask_to_stop(self) -> None:
        """SIGTERM to the command now, SIGKILL to it and its children after the grace.

        Returns at once.
        """
        if self._asked_to_stop:
            return
        self._asked_to_stop = True
        self._send(STOP)

    def _send(self, request: bytes) -> None:
        stdin = self._keeper.stdin
        if stdin is not None and not stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # the keeper has ended
                stdin.write(request)
                stdin.flush()

    def kill(self) -> None:
        """Kill it without grace, or end its grace. Returns at once."""
        self._asked_to_stop = True
        self._send(KILL)

    def stop(self, within_s: float | None = None) -> int:
        """Stop it and wait for its exit code. `within_s` shortens the grace."""
        self.ask_to_stop()
        try:
            code = self._keeper.wait(self.grace_s + MARGIN_S if within_s is None else within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._keeper.wait(MARGIN_S)
        self._close()
        return code

    def _close(self) -> None:
        """Close the keeper's standard input, which is open as long as we live."""
        if self._keeper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.close()


def _to_argument(path: Path | None) -> str:
    return NONE if path is None else str(path)
