"""The `cascan` command as a person runs it, against a state directory of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cascan:
    state_dir: Path

    def __call__(self, command: str, *words: str, stdin: str = "", nmap: tuple[str, ...] = ()) -> Ran:
        """Run `cascan COMMAND words…`; `nmap` are the words behind --."""
        argv = [sys.executable, "-m", "cli.main", *command.split(), *words, "--state-dir", str(self.state_dir)]
        ran = subprocess.run(
            [*argv, *(["--", *nmap] if nmap else [])],
            input=stdin.encode(),
            capture_output=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
            timeout=100,
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
