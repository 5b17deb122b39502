"""`cascan query` over a stack: its four tables, every format, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import stat
from pathlib import Path

import duckdb
import pytest

from cascan_cli.commands import query
from cascan_cli.main import main
from cascan_cli.query import database as databases
from cascan_cli.query.tables import TABLES
from cascan_cli.stack.interruption import Interrupted
from tests.docs.a_stack import Stack, stack

__all__ = ["stack"]
ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.usefixtures("stack")


def ask(capsys: pytest.CaptureFixture[str], sql: str, *options: str, code: int = 0) -> str:
    assert main(["query", sql, *options]) == code
    return capsys.readouterr().out


def test_findings_are_those_that_are_open_now_or_of_a_scan_or_a_series(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT address, port FROM findings WHERE category = 'Open Port' ORDER BY ALL"
    now = ask(capsys, sql)
    assert "10.0.0.1\t23" in now.splitlines()
    assert "10.0.0.1\t80" not in now.splitlines()
    oldest = next(iter(stack.table.scans))
    assert "10.0.0.1\t80" in ask(capsys, sql, "--scan", oldest).splitlines()
    name = stack.table.scans[oldest].name
    assert ask(capsys, sql, "--series", name).splitlines()


@pytest.mark.parametrize("table", TABLES)
def test_each_table_has_rows_with_the_columns_that_the_document_lists(
    table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (row, *_) = json.loads(ask(capsys, f"SELECT * FROM {table}", "--json"))
    assert list(row) == list(TABLES[table].columns)
    section = (ROOT / "docs/query.md").read_text().split(f"### {table}\n")[1].split("\n##")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    described = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(described) == sorted(TABLES[table].columns)


def test_a_query_without_tables_needs_no_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(query, "open_stack")
    assert ask(capsys, "SHOW TABLES").split() == sorted(TABLES)


def test_tables_are_joined(capsys: pytest.CaptureFixture[str]) -> None:
    sql = """SELECT e.address, e.port, s.outcome FROM exposures e
             JOIN inventory i USING (vantage, address, protocol, port) JOIN scans s ON s.scan_id = i.scan_id"""
    assert ask(capsys, sql) == "10.0.0.1\t23\tpartial\n"


def test_a_result_is_written_in_each_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT '=1+1' AS a, 1 AS a, NULL AS nothing, [1, 2] AS list, '{\"k\": \"<b>\"}'::JSON AS j"
    sql += ", TIMESTAMP '2026-01-31 23:59:59' AS at_, 2.5::DECIMAL(3, 1) AS d, 'nan'::DOUBLE AS n"
    sql += ", 170141183460469231731687303715884105727 AS big"
    expected = {"a": "=1+1", "a_2": 1, "nothing": None, "list": [1, 2], "j": {"k": "<b>"}}
    expected |= {"at_": "2026-01-31T23:59:59Z", "d": 2.5, "n": None, "big": str(2**127 - 1)}
    assert json.loads(ask(capsys, sql, "--as", "json")) == [expected]
    assert json.loads(ask(capsys, sql, "--as", "jsonl")) == expected
    (titles, cells) = csv.reader(io.StringIO(ask(capsys, sql, "--as", "csv")))
    assert titles[:3] == ["a", "a", "nothing"]
    assert cells[:3] == ["'=1+1", "1", ""]
    assert ask(capsys, "SELECT '<b>|x' AS a", "--as", "md") == "| a |\n| --- |\n| &lt;b&gt;\\|x |\n"
    file = tmp_path / "result.json"
    assert ask(capsys, sql, "--as", "json", "-o", str(file)) == ""
    assert json.loads(file.read_text()) == [expected]
    assert ask(capsys, "SELECT 1 WHERE false", "--json") == "[]\n"


def test_parquet_holds_the_result_of_a_query_or_the_findings_of_a_selection(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, findings = tmp_path / "result.parquet", tmp_path / "findings.parquet"
    ask(capsys, "SELECT severity, count(*) AS n FROM findings GROUP BY 1 -- all", "--as", "parquet", "-o", str(result))
    assert main(["findings", "--now", "--port", "22", "--as", "parquet", "-o", str(findings)]) == 0
    assert capsys.readouterr().out == ""
    with duckdb.connect() as reader:
        assert reader.execute(f"FROM '{result}'").fetchall()
        rows = reader.execute(f"SELECT DISTINCT port, typeof(labels) FROM '{findings}'").fetchall()
        columns = [name for name, *_ in reader.execute(f"DESCRIBE FROM '{findings}'").fetchall()]
    assert rows == [(22, "MAP(VARCHAR, VARCHAR)")]
    assert columns == list(TABLES["findings"].columns)
    assert stat.S_IMODE(findings.stat().st_mode) == 0o600


def test_a_result_in_parquet_is_cut_as_in_other_formats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (databases, query):
        monkeypatch.setattr(module, "MAX_RESULT_ROWS", 3)
    path = tmp_path / "x.parquet"
    assert main(["query", "SELECT range AS rowid FROM range(9)", "--as", "parquet", "-o", str(path)]) == 1
    assert "only the first 3 rows are written" in capsys.readouterr().err
    assert main(["query", "SELECT 1 FROM range(3)", "--as", "parquet", "-o", str(tmp_path / "whole")]) == 0
    with duckdb.connect() as reader:
        assert reader.execute(f"FROM '{path}'").fetchall() == [(0,), (1,), (2,)]


@pytest.mark.parametrize("sql", ["SELECT ';' AS a; -- ü;", ";SELECT ';' AS a ; /* b; */", "SELECT ';' AS a -- c;"])
def test_a_comment_may_follow_the_semicolon(sql: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(ask(capsys, sql, "--json")) == [{"a": ";"}]
    ask(capsys, sql, "--as", "parquet", "-o", str(tmp_path / "x.parquet"))
    with duckdb.connect() as reader:
        assert reader.execute(f"FROM '{tmp_path}/x.parquet'").fetchall() == [(";",)]


def test_what_duckdb_takes_for_json_is_one_line_of_valid_json(capsys: pytest.CaptureFixture[str]) -> None:
    sql = """SELECT unnest(['{"a":\n 12345678901234567890.10}', 'NaN', '{"a": NaN}'])::JSON AS j"""
    lines = ask(capsys, sql, "--as", "jsonl").splitlines()
    assert lines[0] == '{"j":{"a":12345678901234567890.10}}'
    assert [json.loads(line)["j"] for line in lines[1:]] == ["NaN", '{"a": NaN}']


def test_text_of_a_host_is_printable_in_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    printed = ask(capsys, "SELECT chr(27) || ']0;owned' || chr(7) AS title, chr(27) || '[2J' AS \"\x1b[31m\"")
    assert "\\x1b]0;owned\\x07" in printed
    assert "\x1b[2J" not in printed
    assert "\x1b]" not in printed


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["SELECT * FROM read_csv('/etc/passwd')"], "a query reaches no file, no network and no extension"),
        (["COPY findings TO 'x.csv'"], "COPY is refused"),
        (["SELECT nothing FROM scans"], 'column "nothing" not found'),
        ([], "give the SQL as one argument"),
        (["SELECT 1", "-f", "x.sql"], "give the SQL as one argument"),
        (["-f", "nothing-there.sql"], "nothing-there.sql: No such file"),
        (["SELECT 1", "-o", "x"], "-o needs --as FORMAT"),
        (["SELECT 1", "--json", "--as", "csv"], "--json and --as csv contradict each other"),
        (["SELECT 1", "--scan", "latest", "--series", "lan"], "--scan and --series exclude each other"),
        (["SELECT 1 FROM findings", "--scan", "nowhere"], "there is no scan 'nowhere'"),
        (["SELECT 1 FROM findings", "--series", "nowhere"], "no scan of series 'nowhere' is Done"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", *words]) == 2
    refused = capsys.readouterr()
    assert refused.out == ""
    assert problem.lower() in refused.err.lower()
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("words", [["query", "SELECT 1"], ["findings", "latest", "--as", "parquet", "-o", "x"]])
def test_without_the_extra_the_command_says_how_to_install_it(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(words) == 3
    assert "DuckDB is not installed: pip install 'cascan[query]'" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_query_as_it_ends_every_command(
    number: signal.Signals, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_as_duckdb_does(*_: object) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(Interrupted, "latest", number)
    monkeypatch.setattr(databases.Database, "run", raise_as_duckdb_does)
    assert main(["query", "SELECT 1"]) == 128 + number
    assert capsys.readouterr().err == "cascan: interrupted\n"


def test_rows_beyond_the_limits_are_left_out_with_a_message_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "MAX_TABLE_ROWS", 2)
    monkeypatch.setattr(databases, "ROWS_AT_ONCE", 1)
    assert main(["query", "SELECT count(*) FROM inventory"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "2\n"
    assert "rows of inventory are looked at" in printed.err
