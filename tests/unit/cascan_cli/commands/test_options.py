"""`cascan options`: the decision table, and one spelling looked up as nmap would read it."""

import json

import pytest

from cascan.nmap.options.table import option_table
from cascan_cli.main import main


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[list[str]], str]:
    code = main(["options", *words])
    out, err = capsys.readouterr()
    return code, [line.split("\t") for line in out.splitlines()], err


def test_every_option_is_printed_with_its_decision_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    code, rows, _ = printed(capsys)
    assert code == 0
    assert [row[0] for row in rows] == [row.documented for row in option_table().rows()]
    assert all(len(row) == 4 and all(row) for row in rows)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--oN"], ["-oN"]),
        (["-no/tmp/x"], ["-n", "-o"]),  # a cluster
        (["--script-u"], ["--script-updatedb"]),  # an abbreviation
        (["-script"], ["--script"]),
        (["-sVC"], ["-sV", "-sC"]),
        (["--", "-h"], ["-h"]),
        (["-p", "22"], ["-p"]),
        (["rtt"], ["--max-rtt-timeout", "--min-rtt-timeout", "--initial-rtt-timeout"]),
    ],
)
def test_a_spelling_is_looked_up_as_nmap_would_read_it(
    capsys: pytest.CaptureFixture[str], words: list[str], found: list[str]
) -> None:
    code, rows, _ = printed(capsys, *words)
    assert (code, [row[0] for row in rows]) == (0, found)


@pytest.mark.parametrize(("word", "why"), [("--re", "ambiguous"), ("--frob", "unrecognized"), ("frob", "no option")])
def test_an_unknown_option_is_reported(capsys: pytest.CaptureFixture[str], word: str, why: str) -> None:
    code, rows, err = printed(capsys, word)
    assert (code, rows) == (2, [])
    assert why in err


def test_the_table_comes_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["options", "--json", "-g"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["option"], row["argument"], row["decision"]) == ("-g", "required", "raw")
    assert "passed on as --source-port" in row["reason"]
