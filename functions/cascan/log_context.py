"""What the log lines of this process are about at the moment: the ids of a scan, its shard and its trace.

A process handles one message at a time, so all its threads share one context. The edge clears it
for each message; the work adds an id as soon as it knows it.
"""

from __future__ import annotations

import logging

_context: dict[str, str | int] = {}


def add_log_context(**ids: str | int) -> None:
    """From now on, every log line has these fields. Empty texts are left out."""
    _context.update({name: value for name, value in ids.items() if value != ""})


def read_log_context() -> dict[str, str | int]:
    return dict(_context)


def clear_log_context() -> None:
    _context.clear()


class LogContextFilter(logging.Filter):
    """Adds the context to each record of a handler. A field that the record has already is kept."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _context.items():
            record.__dict__.setdefault(name, value)
        return True


LOG_CONTEXT_FILTER = LogContextFilter()
