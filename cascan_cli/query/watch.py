"""Ends a query in time, and soon after a signal.

DuckDB looks whether it is to end between two pieces of work, and a piece may take minutes: a function
over a long text, or one operator over a large product. Python, too, handles a signal only when DuckDB
returns. So a thread of its own waits for both. It asks DuckDB to end, and if DuckDB does not, it ends
the process.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

GRACE_S = 2.0  # in which DuckDB may still end by itself
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_TOO_LONG = 1
END = 0  # in place of the number of a signal


class QueryWatch:
    """Watches from `start` to `stop`, for at most `seconds`.

    `interrupt` asks DuckDB to end. `clean_up` removes its files, before the process ends without it.
    `signal`: the number of the signal that came; 0: none did.
    """

    def __init__(self, seconds: float, interrupt: Callable[[], object], clean_up: Callable[[], None]) -> None:
        self.signal = 0
        self._seconds = seconds
        self._interrupt = interrupt
        self._clean_up = clean_up
        self._is_in_database = False
        self._thread = Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._others = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._thread.start()

    def stop(self) -> None:
        signal.set_wakeup_fd(self._others)
        os.write(self._writing, bytes((END,)))
        self._thread.join()
        os.close(self._reading)
        os.close(self._writing)

    @contextmanager
    def in_database(self) -> Iterator[None]:
        """While a block waits for DuckDB: only then, the process is ended."""
        self._is_in_database = True
        try:
            yield
        finally:
            self._is_in_database = False

    def _watch(self) -> None:
        number = self._read(time.monotonic() + self._seconds)
        if number == END:
            return
        self.signal = number or 0
        self._interrupt()
        deadline = time.monotonic() + GRACE_S
        while (number := self._read(deadline)) is not None or not self._is_in_database:
            if number == END:
                return
            self.signal = number or self.signal
            deadline = time.monotonic() + GRACE_S
        self._end_process()

    def _read(self, deadline: float) -> int | None:
        """END, or the number of a signal; None: neither came in time."""
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([self._reading], [], [], left)
            number = os.read(self._reading, 1)[0] if readable else None
            if number == END or number in SIGNALS:
                return number
        return None

    def _end_process(self) -> None:
        """End without DuckDB, which does not react."""
        reason = "interrupted" if self.signal else f"the query takes longer than {self._seconds:.0f} s"
        print(f"cascan: {reason}", file=sys.stderr, flush=True)
        self._clean_up()
        os._exit(128 + self.signal if self.signal else EXIT_TOO_LONG)
