"""`cascan migrate`: what it says, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.model.migration import MigrationResult, TellMigration
from cascan_cli.commands import migrate
from cascan_cli.main import main


class Table:
    def __init__(self, result: MigrationResult) -> None:
        self.result = result

    def migrate(self, tell: TellMigration) -> MigrationResult:
        tell(self.result)
        return self.result


def run(monkeypatch: pytest.MonkeyPatch, result: MigrationResult, *options: str) -> int:
    @contextmanager
    def open_stack(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=Table(result))

    monkeypatch.setattr(migrate, "open_stack", open_stack)
    return main(["migrate", *options])


def test_a_stack_that_is_moved_whole_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, MigrationResult(hosts=3, networks=1, scans=2, findings=40), "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "hosts": 3, "networks": 1, "scans": 2, "findings": 40, "open": 0, "unreadable": 0
    }  # fmt: skip
    assert "3 hosts in 1 network, 40 findings of 2 scans" in printed.err


def test_scans_that_have_not_ended_make_it_partial_and_it_says_when_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, MigrationResult(open=2, unreadable=1)) == 1
    said = capsys.readouterr().err
    assert "run cascan migrate again" in said
    assert "1 finding could not be read" in said
