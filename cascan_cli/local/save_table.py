"""In the emulator, at its end: save its table once more, for commands that only read.

The emulator saves its state in files that only it reads, and starting it takes half a second or more.
This script writes the items of its only table into an SQLite file, sorted by key, after all else is
saved. saved_table.py reads it. ADR 64 has the reasons.

The file is of use only while the emulator's saved state is the one that it was written with. So it
names that state by the size, time and inode of the emulator's file (`identify`).

This script imports nothing of the project.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

FORMAT = 2  # of the file; another version of it is not read
MAX_ITEMS = 500_000
MAX_ITEM_BYTES = 1_000_000_000  # of all items together
CHECK_EVERY = 1_000  # items, between two looks at the clock
EMULATOR_FILE = "dynamodb.json"  # the emulator's state of its tables
SCANS = "scans"  # the listing of the scans: cascan.aws.tables.items
SCHEMA = """
    CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE items (id INTEGER PRIMARY KEY, pk TEXT, sk TEXT, listing TEXT, listed_at TEXT, item BLOB);
"""
INDEXES = """
    CREATE UNIQUE INDEX keys ON items (pk, sk);
    CREATE INDEX listings ON items (listing, listed_at, pk, sk) WHERE listing IS NOT NULL;
"""
Row = tuple[str, str, str | None, str | None, bytes]


class NotSaved(Exception):
    """The table is not saved for reading; the reason is in the message."""


def identify(state: Path) -> list[int]:
    """Size, time and inode of the emulator's file of its tables: no other saved state has the same.

    Raises: OSError: there is no such file.
    """
    status = (state / EMULATOR_FILE).stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def find_next_message(queues: Any) -> float | None:
    """When the next message of the emulator's queues can be received, in epoch seconds. None: they are empty.

    One that a function had received comes again when its visibility timeout has passed.
    """
    return min(
        (message["visible_at"] for _, queue in queues.all_items() for message in queue["messages"]), default=None
    )


def save_table(tables: Any, next_message_at: float | None, state: Path, path: Path, deadline: float) -> None:
    """Write the file, or none at all.

    `tables`: those of the emulator; `next_message_at`: of its queues; `state`: the folder of its saved
    state; `deadline`: of the monotonic clock.

    Raises: NotSaved, OSError, sqlite3.Error.
    """
    stored = list(tables.all_items())
    if len(stored) != 1:
        raise NotSaved(f"the emulator has {len(stored)} tables")
    (((_, _, name), table),) = stored
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")  # as private.py names drafts
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as file:
            about = {"format": FORMAT, "table": name, "saved_with": identify(state)}
            _write(file, table["items"], about | {"next_message_at": next_message_at}, deadline)
        _sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write(file: sqlite3.Connection, items: Any, about: dict[str, Any], deadline: float) -> None:
    for pragma in ("journal_mode = OFF", "synchronous = OFF"):  # a draft that is cut off is never read
        file.execute(f"PRAGMA {pragma}")
    file.executescript(SCHEMA)
    states: set[str] = set()
    file.execute("BEGIN")
    insert = "INSERT INTO items (pk, sk, listing, listed_at, item) VALUES (?, ?, ?, ?, ?)"
    file.executemany(insert, _build_rows(items, states, deadline))
    about = about | {"saved_at": time.time(), "scan_states": sorted(states)}
    file.executemany("INSERT INTO about VALUES (?, ?)", [(key, json.dumps(value)) for key, value in about.items()])
    file.execute("COMMIT")
    file.executescript(INDEXES)


def _build_rows(items: Any, states: set[str], deadline: float) -> Iterator[Row]:
    """The rows, sorted by key. Adds the states of all scans to `states`."""
    if sum(map(len, items.values())) > MAX_ITEMS:
        raise NotSaved(f"the table has more than {MAX_ITEMS:,} items")
    count = size = 0
    for pk in sorted(items):
        partition = items[pk]
        for sk in sorted(partition):
            item = partition[sk]
            listing = item.get("listing", {}).get("S")
            if listing == SCANS:
                states.add(item.get("state", {}).get("S", ""))
            encoded = json.dumps(item, separators=(",", ":")).encode()
            count, size = count + 1, size + len(encoded)
            if count % CHECK_EVERY == 0 and time.monotonic() > deadline:
                raise NotSaved("it would take too long")
            if size > MAX_ITEM_BYTES:
                raise NotSaved(f"its items take more than {MAX_ITEM_BYTES:,} bytes")
            yield pk, sk, listing, item.get("listed_at", {}).get("S"), encoded


def _sync(path: Path) -> None:
    """Have the file on disk before it gets its name: it is read without another check."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
