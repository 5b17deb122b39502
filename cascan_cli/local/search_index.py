"""The search index of this machine: the words of the findings of all ended scans, in one SQLite file.

The table of the stack is the source of truth: a search reads the scans that the index lacks, and
a file that is damaged, or of another version, is deleted and made again. decisions/0049 has the
reasons.

table     rows
────────  ──────────────────────────────────────────────────────────────────────────────────────────
scans     one for each scan that was read: its ids, and `stamp`, which differs once its findings do.
          A removed scan has no scan_id; its row keeps its range of ids from being used again
findings  one for each finding: what a result shows. `id` grows with the age of the scan, and within
          a scan in the order of its findings, so results are read in their order and not sorted
words     full-text index without a copy of the text: by the same id, the words of the finding
          (`body`), and a word for each value that filters ask for (`marks`)
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from cascan.clock import to_wire
from cascan.limits import MAX_SCANS_INDEXED
from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan.queries.finding_query import FindingQuery
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_own_findings
from cascan.queries.search import SearchResult, SearchText, build_result, has_ended
from cascan_cli.errors import DiskFull, StateUnreadable
from cascan_cli.local.lock import hold_lock
from cascan_cli.local.private import FILE_MODE
from cascan_cli.local.search_rows import build_match, build_row, build_stamp, build_words, read_finding, read_time

APPLICATION, SCHEMA = 0x63736361, 1  # in the file's head: whose file it is, and of which version
LOCK_TIMEOUT_S = 600.0  # another search may be reading a million findings
BUSY_TIMEOUT_S = 30.0
CACHE_KIB = 16_384
PENDING_BYTES = 8_000_000  # of words in memory until they are written: fewer, longer runs of them on the disk
ROWS_AT_ONCE = 500
MIN_REMOVED = 10_000  # rows of removed scans; beyond them and half of all rows the index is made again
SLOT_BITS = 29  # of an id: the finding's number among those of scans that were requested in one second
LAST_SECOND = 2**33 - 1
SIDE_FILES = ("-journal", "-wal", "-shm")
PRAGMAS = f"cache_size = -{CACHE_KIB}", "synchronous = NORMAL", "trusted_schema = OFF", "cell_size_check = ON"
CREATE = """
    CREATE TABLE scans (number INTEGER PRIMARY KEY, scan_id TEXT UNIQUE, name TEXT NOT NULL, requested_at TEXT NOT NULL,
        stamp TEXT NOT NULL, first_id INTEGER NOT NULL, end_id INTEGER NOT NULL);
    CREATE INDEX scans_by_first_id ON scans (first_id);
    CREATE TABLE findings (id INTEGER PRIMARY KEY, scan INTEGER NOT NULL, parsed_at TEXT NOT NULL,
        severity TEXT NOT NULL, category TEXT NOT NULL, addresses TEXT NOT NULL, hostname TEXT NOT NULL,
        protocol TEXT NOT NULL, port INTEGER, service TEXT NOT NULL, name TEXT NOT NULL, location TEXT NOT NULL);
    CREATE VIRTUAL TABLE words USING fts5 (body, marks, content='', columnsize=0, tokenize='ascii');
"""
SET_PENDING_BYTES = "INSERT INTO words (words, rank) VALUES ('hashsize', ?)"
INSERT_SCAN = "INSERT INTO scans VALUES (NULL, ?, ?, ?, ?, ?, ?)"
INSERT_FINDING = "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_WORDS = "INSERT INTO words (rowid, body, marks) VALUES (?, ?, ?)"
# CROSS JOIN: SQLite keeps the order of the tables, which is that of the ids
SELECT = """
    SELECT findings.id, scans.scan_id, scans.name, scans.requested_at, findings.parsed_at, severity, category,
        addresses, hostname, protocol, port, service, findings.name, location
    FROM words CROSS JOIN findings ON findings.id = words.rowid CROSS JOIN scans ON scans.number = findings.scan
    WHERE words MATCH ? AND words.rowid > ? ORDER BY words.rowid
"""
SELECT_ALL = """
    SELECT findings.id, scans.scan_id, scans.name, scans.requested_at, findings.parsed_at, severity, category,
        addresses, hostname, protocol, port, service, findings.name, location
    FROM findings CROSS JOIN scans ON scans.number = findings.scan WHERE findings.id > ? ORDER BY findings.id
"""
# What a primary result code says of the file: https://sqlite.org/rescode.html
UNUSABLE = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH,
}  # fmt: skip
NO_FTS5 = "no such module: fts5"


class IndexDamaged(Exception):
    """The file is not an index of this version, or parts of it cannot be read."""


class UpdateProgress(NamedTuple):
    scans_done: int
    scans: int
    findings: int


ShowProgress = Callable[[UpdateProgress], None]
PrintMessage = Callable[[str], None]


class Search(NamedTuple):
    """What is sought, and how many results at most."""

    text: SearchText
    query: FindingQuery
    limit: int
    after: int = -1  # the place of a result: only those behind it


class Found(NamedTuple):
    """A result, and its place among all findings, from which a later search goes on."""

    place: int
    result: SearchResult


class SearchIndex:
    """The open index. Only one process uses it at a time: `use_index` holds its lock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def update(self, table: FindingsAndLooks, show: ShowProgress) -> None:
        """Read the ended scans that the index lacks, and drop those that are gone.

        A scan is added as a whole or not at all.
        """
        missing = self._drop_outdated(table)
        if self._is_mostly_removed():
            raise IndexDamaged("most of its scans were removed or parsed again")
        findings = 0
        for number, scan_id in enumerate(missing):
            scan = table.get_scan(scan_id)
            if scan is None or not has_ended(scan):
                continue

            def count(so_far: int, number: int = number, before: int = findings) -> None:
                show(UpdateProgress(number, len(missing), before + so_far))

            findings += self.add_scan(scan, read_own_findings(scan, table), count)

    def _drop_outdated(self, table: FindingsAndLooks) -> list[str]:
        """Remove scans that are gone or have other findings now. Returns the scans to read, newest first."""
        rows = self._connection.execute("SELECT scan_id, stamp, requested_at FROM scans WHERE scan_id IS NOT NULL")
        known = {scan_id: (stamp, requested_at) for scan_id, stamp, requested_at in rows}
        missing, current, count, oldest = [], set(), 0, ""
        for scan in table.list_scans(MAX_SCANS_INDEXED):
            count, oldest = count + 1, to_wire(scan.requested_at)
            if not has_ended(scan):
                continue
            if scan.scan_id in known and known[scan.scan_id][0] == build_stamp(scan):
                current.add(scan.scan_id)
            else:
                missing.append(scan.scan_id)
        listed_all = count < MAX_SCANS_INDEXED
        outdated = [
            scan_id
            for scan_id, (_, requested_at) in known.items()
            if scan_id not in current and (listed_all or requested_at >= oldest)
        ]
        if outdated:
            with self._transaction():
                for scan_id in outdated:
                    self._remove_scan(scan_id)
        return missing

    def _is_mostly_removed(self) -> bool:
        query = "SELECT total(end_id - first_id), total((end_id - first_id) * (scan_id IS NULL)) FROM scans"
        every, removed = self._connection.execute(query).fetchone()
        return bool(removed > max(MIN_REMOVED, every / 2))

    def add_scan(self, scan: Scan, findings: Iterable[Finding], count: Callable[[int], None] = lambda _: None) -> int:
        """Add the findings in one transaction, in place of those that the index has of the scan.

        `count`: called now and then with how many were read. Returns how many there are.
        """
        with self._transaction():
            self._remove_scan(scan.scan_id)
            first_id = self._find_first_id(scan.requested_at)
            times = to_wire(scan.requested_at), build_stamp(scan)
            values = (scan.scan_id, scan.name, *times, first_id, first_id)
            number = self._connection.execute(INSERT_SCAN, values).lastrowid
            end_id, stream = first_id, iter(findings)
            while batch := list(islice(stream, ROWS_AT_ONCE)):
                ids = range(end_id, end_id + len(batch))
                rows = ((row_id, number, *build_row(row)) for row_id, row in zip(ids, batch, strict=True))
                self._connection.executemany(INSERT_FINDING, rows)
                words = ((row_id, *build_words(row)) for row_id, row in zip(ids, batch, strict=True))
                self._connection.executemany(INSERT_WORDS, words)
                end_id += len(batch)
                count(end_id - first_id)
            self._connection.execute("UPDATE scans SET end_id = ? WHERE number = ?", (end_id, number))
        return end_id - first_id

    def _find_first_id(self, requested_at: datetime) -> int:
        """The first id that is free for a scan requested then. Newer scans have lower ids."""
        second = min(max(int(requested_at.timestamp()), 0), LAST_SECOND)
        slot = (LAST_SECOND - second) << SLOT_BITS
        query = "SELECT max(end_id) FROM scans WHERE first_id BETWEEN ? AND ?"
        (used,) = self._connection.execute(query, (slot, slot + (1 << SLOT_BITS) - 1)).fetchone()
        return max(slot, used or 0)

    def _remove_scan(self, scan_id: str) -> None:
        """Remove the findings. Their words stay in the file, by ids that no row has any more."""
        query = "SELECT number, first_id, end_id FROM scans WHERE scan_id = ?"
        for number, first_id, end_id in self._connection.execute(query, (scan_id,)).fetchall():
            self._connection.execute("DELETE FROM findings WHERE id >= ? AND id < ?", (first_id, end_id))
            self._connection.execute("UPDATE scans SET scan_id = NULL, name = '' WHERE number = ?", (number,))

    def search(self, search: Search) -> list[Found]:
        """The first results: the newest scan first, then in the order of its findings."""
        match = build_match(search.text, search.query)
        select, values = (SELECT, (match, search.after)) if match else (SELECT_ALL, (search.after,))
        rows = self._connection.execute(select, values)
        with closing(rows):
            return list(islice(_select(rows, search.query), search.limit))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk may have ended the transaction
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def search_findings(
    path: Path, table: FindingsAndLooks, search: Search, *, show: ShowProgress, say: PrintMessage, updates: bool = True
) -> list[Found]:
    """Bring the index up to date, making it if need be, and search it.

    `updates`: False where a search has just brought it up to date; then a missing index is empty.
    Raises: StateUnreadable, DiskFull: the file cannot be used. StackBusy: another search takes too long.
    """
    with hold_lock(_lock_of(path), LOCK_TIMEOUT_S):
        try:
            if updates:
                return _update_and_search(path, table, search, show)
            return _search(path, search)
        except IndexDamaged as exc:
            say(f"note: the search index {path} is made again: {exc}")
        _delete(path)
        try:
            return _update_and_search(path, table, search, show)
        except IndexDamaged as exc:
            raise StateUnreadable(f"the search index {path} cannot be made: {exc}") from exc


def _update_and_search(path: Path, table: FindingsAndLooks, search: Search, show: ShowProgress) -> list[Found]:
    with open_index(path) as index:
        index.update(table, show)
        results = index.search(search)
    return results  # noqa: RET504 - the block may translate an error


def _search(path: Path, search: Search) -> list[Found]:
    with open_index(path) as index:
        results = index.search(search)
    return results  # noqa: RET504 - the block may translate an error


def remove_index(path: Path) -> None:
    """Delete the index: the next search makes it again. Raises: StackBusy: a search takes too long."""
    if path.exists():
        with hold_lock(_lock_of(path), LOCK_TIMEOUT_S):
            _delete(path)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _delete(path: Path) -> None:
    for suffix in ("", *SIDE_FILES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def open_index(path: Path) -> Iterator[SearchIndex]:
    """The index, which is created if there is none. The caller holds its lock.

    Raises: IndexDamaged, StateUnreadable, DiskFull.
    """
    with _translate_errors(path):
        try:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
            path.chmod(FILE_MODE)
        except OSError as exc:
            raise StateUnreadable(f"the search index {path} cannot be written: {exc.strerror}") from exc
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
            _prepare(connection)
            yield SearchIndex(connection)


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        _create_tables(connection)
    marks = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if marks[0] != APPLICATION:
        raise IndexDamaged("the file is of another program")
    if marks[1] != SCHEMA:
        raise IndexDamaged("it is of another version of cascan")


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in filter(str.strip, CREATE.split(";")):
            connection.execute(statement)
    except sqlite3.OperationalError as exc:
        if NO_FTS5 in str(exc):
            raise StateUnreadable("the SQLite library of this Python has no FTS5, which search needs") from exc
        raise
    connection.execute(SET_PENDING_BYTES, (PENDING_BYTES,))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    connection.execute("COMMIT")


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as exc:
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DiskFull(
                f"the disk is full: the search index {path} cannot be written. "
                "Make room, or choose another directory with --state-dir"
            ) from exc
        if code in UNUSABLE:
            raise StateUnreadable(f"the search index {path} cannot be used: {exc}") from exc
        raise IndexDamaged(f"it is damaged ({exc})") from exc


def _select(rows: Iterable[tuple[Any, ...]], query: FindingQuery) -> Iterator[Found]:
    for place, scan_id, scan_name, requested_at, *columns in rows:
        finding = read_finding(columns)
        if query.fits(finding):
            yield Found(place, build_result(finding, scan_id, scan_name, read_time(requested_at)))
