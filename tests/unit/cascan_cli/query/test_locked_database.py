"""SQL of a user sees the tables that were filled for it, and nothing else of the machine or the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascan.formats.records import Record
from cascan_cli.errors import BadInput, CliError
from cascan_cli.query import database as databases
from cascan_cli.query.database import Database, open_database
from cascan_cli.query.rows import read_finding_rows
from cascan_cli.query.statement import check_statement
from cascan_cli.query.tables import FINDINGS, SCANS
from tests.support.varied_findings import SECRET, list_varied_records, make_secret_finding

SECRET_FILE = "/etc/passwd"


@pytest.fixture(scope="module")
def locked() -> Iterator[Database]:
    """A database with a thousand findings, some of which are hostile, and one with a password."""
    records = [*list_varied_records(), Record(finding=make_secret_finding())]
    with open_database() as database:
        assert database.add(FINDINGS, read_finding_rows(records, with_secrets=False))
        database.lock()
        yield database


def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with database.run(check_statement(sql)) as result:
        return list(result)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT * FROM read_csv('{SECRET_FILE}')",
        f"SELECT * FROM read_text('{SECRET_FILE}')",
        f"SELECT * FROM read_blob('{SECRET_FILE}')",
        f"SELECT * FROM read_json('{SECRET_FILE}')",
        "SELECT * FROM read_parquet('/proc/self/environ')",
        f"SELECT * FROM sniff_csv('{SECRET_FILE}')",
        "SELECT * FROM glob('/etc/*')",
        "FROM '/tmp/x.parquet'",
        "SELECT * FROM read_csv('https://198.51.100.7/x.csv')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        f"SELECT (SELECT count(*) FROM read_text('{SECRET_FILE}'))",
        f"SELECT * FROM query('SELECT * FROM read_text(''{SECRET_FILE}'')')",
    ],
)
def test_a_select_reads_no_file_and_no_network(sql: str, locked: Database) -> None:
    with pytest.raises(BadInput, match="a query reaches no file, no network and no extension, only its tables"):
        rows(locked, sql)


@pytest.mark.parametrize("name", [f"'{SECRET_FILE}'", "os", "SECRET_FILE", "locked"])
def test_a_table_is_no_file_and_no_variable_of_the_process(name: str, locked: Database) -> None:
    with pytest.raises(BadInput, match=r"Table with name .* does not exist"):
        rows(locked, f"SELECT * FROM {name}")
    assert rows(locked, "SELECT current_setting('python_enable_replacements')") == [(False,)]


def test_secrets_that_the_user_has_stored_for_duckdb_are_not_loaded(locked: Database) -> None:
    assert rows(locked, "SELECT current_setting('allow_persistent_secrets')") == [(False,)]
    assert rows(locked, "SELECT * FROM duckdb_secrets()") == []


REFUSED = [
    ("COPY findings TO '{folder}/out.csv'", "COPY"),
    ("COPY (SELECT 1) TO '{folder}/out.parquet' (FORMAT parquet)", "COPY"),
    ("EXPORT DATABASE '{folder}/out'", "EXPORT"),
    ("ATTACH '{folder}/out.duckdb' AS other", "ATTACH"),
    ("INSTALL httpfs", "LOAD"),
    ("LOAD httpfs", "LOAD"),
    ("SET enable_external_access = true", "SET"),
    ("SET lock_configuration = false", "SET"),
    ("RESET enable_external_access", "SET"),
    ("PRAGMA enable_external_access", "PRAGMA"),
    ("CALL enable_logging()", "CALL"),
    ("IMPORT DATABASE '{folder}'", "PRAGMA"),
]


@pytest.mark.parametrize(("sql", "kind"), REFUSED)
def test_another_statement_than_a_select_is_refused_before_anything_is_read(
    sql: str, kind: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=f"a query is one SELECT statement, which reads tables; {kind} is refused"):
        check_statement(sql.format(folder=tmp_path))


@pytest.mark.parametrize("sql", [sql for sql, _ in REFUSED])
def test_the_database_would_refuse_it_as_well(sql: str, locked: Database, tmp_path: Path) -> None:
    with pytest.raises((BadInput, CliError)), locked.run(sql.format(folder=tmp_path)) as result:
        list(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("", "0 statements"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; COPY findings TO 'x'", "2 statements"),
        ("SELEC 1", "the query cannot be read: .*SELEC"),
        ("SELECT 1) TO 'x' --", "the query cannot be read"),
        ("DELETE FROM findings", "DELETE is refused"),
        (f"SELECT '{'x' * 100_000}'", "more than 100,000 characters"),
    ],
)
def test_what_is_not_one_statement_that_reads_is_refused(sql: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        check_statement(sql)


def test_an_error_in_the_sql_is_one_printable_line(locked: Database) -> None:
    with pytest.raises(BadInput) as error:
        rows(locked, 'SELECT "\x1b[2Jnothing" FROM findings')
    assert "\\x1b[2Jnothing" in str(error.value)
    assert "\n" not in str(error.value)


def test_severities_are_ordered_and_hostile_texts_are_values(locked: Database) -> None:
    severities = [row[0] for row in rows(locked, "SELECT DISTINCT severity FROM findings ORDER BY severity DESC")]
    assert severities == ["HIGH", "MEDIUM", "LOW", "INFORMATIONAL"]
    ((count, hostile),) = rows(locked, "SELECT count(*), count(*) FILTER (description LIKE '%alert(1)%') FROM findings")
    assert count == len(list_varied_records()) + 1
    assert hostile
    assert rows(locked, f"SELECT count(*) FROM findings WHERE attributes::VARCHAR LIKE '%{SECRET}%'") == [(0,)]


def test_times_are_compared_in_utc(locked: Database) -> None:
    assert rows(locked, "SELECT count(*) > 0 FROM findings WHERE last_seen < now() - INTERVAL 1 DAY") == [(True,)]
    assert rows(locked, "SELECT current_setting('TimeZone')") == [("UTC",)]


def test_a_query_that_takes_too_long_is_interrupted(locked: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "MAX_SECONDS", 0.2)
    with pytest.raises(CliError, match="the query takes longer than 0 s; select less"):
        rows(locked, "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = -1")


def test_a_query_that_takes_too_much_memory_is_refused(locked: Database) -> None:
    with pytest.raises(CliError, match="needs more than 512MB of memory"):
        rows(locked, "SELECT list(range) FROM range(200000000)")


def test_a_result_and_a_table_have_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "MAX_RESULT_ROWS", 3)
    monkeypatch.setattr(databases, "MAX_TABLE_ROWS", 4)
    monkeypatch.setattr(databases, "ROWS_AT_ONCE", 2)
    with open_database() as database:
        assert not database.add(SCANS, ({"scan_id": str(number)} for number in range(5)))
        database.lock()
        with database.run("SELECT * FROM scans") as result:
            assert len(list(result)) == 3
            assert result.is_cut
        assert rows(database, "SELECT count(*) FROM scans") == [(4,)]


def test_the_folder_is_private_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_database():
        (folder,) = tmp_path.iterdir()
        assert os.stat(folder).st_mode & 0o077 == 0  # noqa: PTH116
    assert list(tmp_path.iterdir()) == []
