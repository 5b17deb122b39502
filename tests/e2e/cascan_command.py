"""The `cascan` command as a person runs it, against a state directory of the test's own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.e2e.forked_command import run_forked

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cascan:
    state_dir: Path
    timeout_s: float = 250

    def __call__(self, command: str, *words: str, stdin: str = "", nmap: tuple[str, ...] = ()) -> Ran:
        """Run `cascan COMMAND words…`; `nmap` are the words behind --."""
        arguments = [*command.split(), *words, "--state-dir", str(self.state_dir)]
        code, out, err = run_forked(
            [*arguments, *(["--", *nmap] if nmap else [])],
            stdin=stdin.encode(),
            folder=ROOT,
            environment=os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
            network=self.network(),
            timeout_s=self.timeout_s,
        )
        return Ran(code, out, err.decode())

    def network(self) -> Path | None:
        """The network namespace of the command; None: that of the test."""
        return None


@dataclass(frozen=True)
class Ran:
    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        assert self.out, f"nothing on stdout; exit code {self.code}; stderr: {self.err}"
        return json.loads(self.out)


C = TypeVar("C", bound=Cascan)


@contextmanager
def stack_up(command: C, *words: str) -> Iterator[C]:
    """The command, with its stack up for the length of the block."""
    if shutil.which("nmap") is None:
        pytest.skip("nmap is not installed")
    up = command("local up", *words)
    assert up.code == 0, up.err
    try:
        yield command
    finally:
        command("local down")
