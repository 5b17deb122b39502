"""A DuckDB database in a private folder, which is deleted at its end.

Rows are added as JSON lines, some thousand at a time, so memory and temporary files stay bounded.
Then the database is locked: from then on it reaches no other file, no network and no extension, and
no statement can change that. Only a locked database runs SQL of the user.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import printable
from cascan_cli.query.tables import SEVERITY_TYPE, TABLES, Table
from cascan_cli.stack.interruption import Interrupted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NOT_INSTALLED = "DuckDB is not installed: pip install 'cascan[query]' (pipx: pipx inject cascan duckdb)"
ROWS_AT_ONCE = 10_000  # written to a file, and read from it
FETCHED_AT_ONCE = 1_000
MAX_TABLE_ROWS = 5_000_000
MAX_RESULT_ROWS = 1_000_000
MAX_MEMORY = "512MB"
MAX_TEMPORARY_FILES = "2GB"
MAX_THREADS = 2
MAX_SECONDS = 120.0  # of one query
MAX_ERROR_CHARS = 300
RESULT = "cascan_result"
INTERRUPTED = "Query interrupted"  # DuckDB's error in place of what a signal's handler raises
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": MAX_THREADS,
    "memory_limit": MAX_MEMORY,
    "max_temp_directory_size": MAX_TEMPORARY_FILES,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,  # those that the user has stored for other work with DuckDB
    "python_enable_replacements": False,  # a name in SQL is no variable of this process
}
LOCK = ("SET TimeZone = 'UTC'", "SET enable_external_access = false", "SET lock_configuration = true")


class Column(NamedTuple):
    name: str
    type: str  # as SQL calls it


class Result:
    """The columns of a query, and its rows as they are fetched. `is_cut`: there were more than MAX_RESULT_ROWS."""

    def __init__(self, columns: Sequence[Column], rows: Iterator[tuple[Any, ...]]) -> None:
        self.columns = columns
        self.is_cut = False
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        yield from islice(self._rows, MAX_RESULT_ROWS)
        self.is_cut = next(self._rows, None) is not None


class Database:
    """Made by `open_database`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "cascan.duckdb"
        self._connection = connect(self._file, folder)
        self._connection.execute(SEVERITY_TYPE)
        for table in TABLES.values():
            columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
            self._connection.execute(f"CREATE TABLE {table.name} ({columns})")

    def add(self, table: Table, rows: Iterable[dict[str, Any]]) -> bool:
        """Add the rows to the table. False: there are more than MAX_TABLE_ROWS, and the others are missing."""
        stream = iter(rows)
        lines = self._folder / "rows.jsonl"
        columns = ", ".join(f"{name}: '{_read_as(kind)}'" for name, kind in table.columns.items())
        insert = (  # no text of a host is part of it
            f"INSERT INTO {table.name} SELECT * FROM "  # noqa: S608
            f"read_json(?, format = 'newline_delimited', columns = {{{columns}}})"
        )
        added = 0
        while added < MAX_TABLE_ROWS and (batch := list(islice(stream, ROWS_AT_ONCE))):
            lines.write_bytes(msgspec.json.Encoder().encode_lines(batch))
            self._connection.execute(insert, [str(lines)])
            added += len(batch)
        lines.unlink(missing_ok=True)
        return next(stream, None) is None

    def lock(self) -> None:
        """Shut everything outside out, for good."""
        for statement in LOCK:
            self._connection.execute(statement)

    @contextmanager
    def run(self, sql: str) -> Iterator[Result]:
        """Run the SQL of a user; its rows can be read in the block.

        Raises: BadInput: it is refused or wrong. CliError: it takes longer than MAX_SECONDS, or too much memory.
        """
        with self._translate_errors():
            cursor = self._connection.execute(sql)
            columns = [Column(str(name), str(kind)) for name, kind, *_ in cursor.description or ()]
            yield Result(columns, _fetch(cursor))

    def store_result(self, sql: str) -> bool:
        """Store the rows of a SELECT as the table RESULT. Raises: as `run` does.

        False: there are more than MAX_RESULT_ROWS, of which it stores one.
        """
        with self._translate_errors():
            self._connection.execute(
                f"CREATE TABLE {RESULT} AS SELECT * FROM (\n{sql}\n) LIMIT {MAX_RESULT_ROWS + 1}"  # noqa: S608 - the user's own
            )
            counted = self._connection.execute(f"SELECT count(*) FROM {RESULT}").fetchone()  # noqa: S608 - our name
        return counted is not None and counted[0] <= MAX_RESULT_ROWS

    def write_parquet(self, table: str, max_rows: int = MAX_TABLE_ROWS) -> Path:
        """Write the first rows of a table to a Parquet file in the private folder.

        The database cannot be used any more.
        """
        self._connection.close()
        path = self._folder / "rows.parquet"
        with connect(self._file, self._folder) as connection:
            rows = f"SELECT * FROM {table} LIMIT {max_rows}"  # noqa: S608 - a name and a number of ours
            connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        return path

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Interrupt the block after MAX_SECONDS, and raise DuckDB's errors as sentences."""
        import duckdb

        timer = Timer(MAX_SECONDS, self._connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as exc:
            raise CliError(f"the query takes longer than {MAX_SECONDS:.0f} s; select less, or group more") from exc
        except duckdb.OutOfMemoryException as exc:
            raise CliError(f"the query needs more than {MAX_MEMORY} of memory; select less, or group more") from exc
        except duckdb.PermissionException as exc:
            reach = "a query reaches no file, no network and no extension, only its tables"
            raise BadInput(f"{reach}: {_shorten(exc)}") from exc
        except duckdb.Error as exc:
            raise BadInput(_shorten(exc)) from exc
        finally:
            timer.cancel()


@contextmanager
def open_database() -> Iterator[Database]:
    """Raises: CliError: DuckDB is not installed, or there is no room for its files. Interrupted: by a signal."""
    check_installed()
    import duckdb

    with tempfile.TemporaryDirectory(prefix="cascan-query-") as folder:  # only its owner can read it
        try:
            database = Database(Path(folder))
            try:
                yield database
            finally:
                database.close()
        except duckdb.Error as exc:
            raise CliError(f"DuckDB: {_shorten(exc)}") from exc
        except RuntimeError as exc:
            if str(exc) != INTERRUPTED:
                raise
            raise Interrupted(Interrupted.latest) from exc


def check_installed() -> None:
    """Raises: CliError: DuckDB is not installed."""
    from importlib.util import find_spec

    if find_spec("duckdb") is None:
        raise CliError(NOT_INSTALLED)


def connect(file: Path, folder: Path) -> DuckDBPyConnection:
    import duckdb

    return duckdb.connect(str(file), config={**SETTINGS, "temp_directory": str(folder / "spilled")})


def _read_as(kind: str) -> str:
    """The type as which JSON is read; the column casts it."""
    return "VARCHAR" if kind == "severity" else kind


def _fetch(cursor: DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(FETCHED_AT_ONCE):
        yield from rows


def _shorten(error: Exception) -> str:
    """The first line of DuckDB's message; what follows shows the SQL again."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[0] if lines else type(error).__name__)[:MAX_ERROR_CHARS]
