"""The `cascan` command as a person runs it, against a state directory of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cascan:
    state_dir: Path
    timeout_s: float = 250

    def where(self, argv: Sequence[str]) -> Sequence[str]:
        """The command line that runs `argv` where the command is to run: here."""
        return argv

    def __call__(self, command: str, *words: str, stdin: str = "", nmap: tuple[str, ...] = ()) -> Ran:
        """Run `cascan COMMAND words…`; `nmap` are the words behind --."""
        argv = [sys.executable, "-m", "cascan_cli.main", *command.split(), *words, "--state-dir", str(self.state_dir)]
        ran = subprocess.run(
            self.where([*argv, *(["--", *nmap] if nmap else [])]),
            input=stdin.encode(),
            capture_output=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
            timeout=self.timeout_s,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr.decode())


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
