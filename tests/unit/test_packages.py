"""What the first line of `make test` says is what the tests do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import packages

ROOT = Path(__file__).parents[2]
LOOKED_FOR = re.compile(r"""shutil\.which\("([\w.-]+)"\)""")
ELSEWHERE = {"sam", "chroot"}  # from .venv-sam, which make test makes; in every Debian


def test_every_program_that_a_test_looks_for_is_in_the_table() -> None:
    known = {program for _, program, _ in packages.PROGRAMS} | ELSEWHERE
    looked_for = {
        name: path for path in (ROOT / "tests").rglob("*.py") for name in LOOKED_FOR.findall(path.read_text())
    }
    assert len(looked_for) > 5
    assert {name: path for name, path in looked_for.items() if name not in known} == {}


@pytest.mark.parametrize("only", ["chromium", "smbd"])
def test_what_is_missing_is_named_with_its_package_and_the_command(only: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "is_there", lambda program: program != only)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(packages, "TUN", ROOT)
    ((what, package),) = [(what, package) for what, program, package in packages.PROGRAMS if program == only]
    line = packages.summary()
    assert line.startswith(f"will be skipped: {what} (needs {package})")
    assert "`make test-packages`" in line
    assert packages.missing_packages() == [package]


def test_a_machine_that_has_everything_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "is_there", lambda _: True)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(packages, "TUN", ROOT)
    assert packages.summary().startswith("nothing will be skipped")


def test_who_is_not_root_is_told_what_root_alone_can_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "is_there", lambda _: True)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    line = packages.summary()
    assert all(what in line for what in packages.ROOTS_ALONE)
    assert "make test-packages" not in line  # it would change nothing


def test_it_runs_without_the_virtual_environment() -> None:
    program = [sys.executable, "-I", "-S", str(ROOT / "tests" / "support" / "packages.py")]
    ran = subprocess.run(program, capture_output=True, text=True, check=True)
    assert len(ran.stdout.splitlines()) == 1
