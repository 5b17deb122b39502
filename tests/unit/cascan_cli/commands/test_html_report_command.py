"""`cascan report --as html`: of a scan or a series, into a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.scan import ScanState
from cascan_cli.commands import report
from cascan_cli.main import main
from tests.fakes.cascades import MemoryCascadeTable
from tests.support.builders import NOW
from tests.unit.cascan_cli.test_fail_on import Series, a_finding


@pytest.fixture(autouse=True)
def series(monkeypatch: pytest.MonkeyPatch) -> Series:
    """Two scans of `lan` that have ended, and one that runs."""
    series = Series()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=series.table, cascades=MemoryCascadeTable())

    monkeypatch.setattr(report, "open_stack", access)
    series.scan(a_finding("a"), finished_at=NOW)
    series.scan(a_finding("b", script="ssh-brute", password="hunter2"), finished_at=NOW)
    series.scan(state=ScanState.SCANNING, outcome=None)
    return series


def test_the_report_of_a_scan_is_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.html"
    assert main(["report", f"{'2':a>16}", "--as", "html", "-o", str(path)]) == 0
    assert "<title>Scan lan, " in path.read_text()
    assert capsys.readouterr() == ("", f"cascan: report of scan {'2':a>16} (lan): {path}\n")


def test_a_series_is_its_newest_scan_that_has_ended(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["report", "--series", "lan", "--as", "html"]) == 0
    page = capsysbinary.readouterr().out
    assert b"<title>Series lan, " in page
    assert f'"id":"{"2":a>16}"'.encode() in page
    assert b"hunter2" not in page


def test_secrets_are_shown_on_request(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["report", "--series", "lan", "--as", "html", "--with-secrets"]) == 0
    assert b"hunter2" in capsysbinary.readouterr().out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "give either SCAN or --series NAME"),
        (["lan", "--series", "lan"], "give either SCAN or --series NAME"),
        (["--series", "wan", "--as", "html"], "no scan of the series 'wan' has ended"),
        (["lan", "-o", "x.html"], "-o needs --as FORMAT"),
        (["lan", "--as", "html", "--xml"], "--xml and --as html contradict each other"),
        (["lan", "--as", "html", "--out", "folder"], "--out is about the XML reports"),
        (["lan", "--as", "html", "--shard", "0"], "--shard is about the XML reports"),
    ],
)
def test_options_without_an_effect_are_refused(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *words]) == 2
    assert problem in capsys.readouterr().err


def test_a_terminal_does_not_get_html(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["report", "lan", "--as", "html"]) == 2
    assert "add -o FILE" in capsys.readouterr().err
