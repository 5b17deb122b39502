"""Commands over a world of scans in memory, and what they print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cascan_cli.main import main
from tests.docs.output_shapes import printed, problems
from tests.support.scanned_network import World


def open_world(monkeypatch: pytest.MonkeyPatch, world: World, *commands: ModuleType) -> None:
    """Let these commands open the world as their stack."""

    @contextmanager
    def open_stack(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=world.table, reports=world.reports)

    for command in commands:
        monkeypatch.setattr(command, "open_stack", open_stack)


class Printed:
    """Runs commands. `messages`: what the last one printed on standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.messages = ""

    def __call__(self, *words: str, code: int = 0) -> list[list[str]]:
        """The rows of a command."""
        assert main(words) == code
        out, self.messages = self.capsys.readouterr()
        return [line.split("\t") for line in out.splitlines()]

    def json(self, *words: str) -> Any:
        assert main([*words, "--json"]) == 0
        return json.loads(self.capsys.readouterr().out)


def run_json(line: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """What `cascan LINE --json` prints, which has to be as docs/output.md says."""
    capsys.readouterr()
    assert main([*line.split(), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    command = " ".join(["cascan", *line.split()[:2]])
    assert list(problems(value, printed()[command])) == [], "describe it in docs/output.md"
    return value
