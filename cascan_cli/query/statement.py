"""The SQL of a user → one statement that reads."""

from __future__ import annotations

from cascan_cli.errors import BadInput
from cascan_cli.query.database import check_installed
from cascan_cli.query.tables import TABLES

MAX_SQL_CHARS = 100_000
READING = "SELECT"  # also of DESCRIBE and SHOW, which DuckDB turns into one


def check_statement(sql: str) -> str:
    """The statement. Raises: BadInput: it is not one SELECT. CliError: DuckDB is not installed."""
    check_installed()
    import duckdb

    if len(sql) > MAX_SQL_CHARS:
        raise BadInput(f"the query has more than {MAX_SQL_CHARS:,} characters")
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as exc:
        message, *_ = str(exc).splitlines()
        raise BadInput(f"the query cannot be read: {message}") from exc
    if len(statements) != 1:
        raise BadInput(f"a query is one SELECT statement, and this text has {len(statements)} statements")
    kind = statements[0].type.name
    if kind != READING:
        raise BadInput(f"a query is one SELECT statement, which reads tables; {kind} is refused")
    return _cut_end(statements[0].query)


def _cut_end(sql: str) -> str:
    """The statement without its semicolon and the comments after it, so that it can be part of another one."""
    import duckdb

    encoded = sql.encode()
    end = len(encoded)
    for offset, kind in reversed(duckdb.tokenize(sql)):
        if encoded[offset : offset + 1] == b";":
            end = offset
        elif kind.name != "comment":
            break
    return encoded[:end].decode().strip()


def list_tables(sql: str) -> list[str]:
    """The tables that the statement may use: those whose names occur in it."""
    text = sql.casefold()
    return [name for name in TABLES if name in text]
