"""What the stack keeps on this machine is its owner's alone; what a person asks for is as open as they like it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cascan_command import Cascan, stack_up

pytestmark = pytest.mark.e2e

FOR_A_WORKER = ("-n", "--scan-delay", "300ms", "--max-retries", "0", "-p", "20-30")  # too slow for a function
OTHERS = 0o077


@pytest.fixture
def careless_umask() -> Iterator[None]:
    """Nothing is taken from others by default."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(root: Path) -> list[str]:
    """What of everything below somebody else could read, write or enter."""
    entries = [root, *(path for path in root.rglob("*") if not path.is_symlink())]
    return [f"{path} {path.stat().st_mode:o}" for path in entries if path.stat().st_mode & OTHERS]


@pytest.mark.usefixtures("careless_umask")
def test_whoever_writes_below_the_state_directory_nothing_there_is_open_to_others(
    tmp_path: Path, lab: dict[str, int]
) -> None:
    with stack_up(Cascan(tmp_path / "state")) as cascan:
        assert cascan("scan", "127.0.0.1", nmap=("-n", "-sV", "-p", str(lab["http"]))).code == 0  # by a function
        assert cascan("scan", "127.0.0.1", nmap=FOR_A_WORKER).code in (0, 1)
        assert cascan("report", "latest", "--out", str(tmp_path / "wanted")).code == 0
        assert list((cascan.state_dir / "logs" / "tasks").iterdir())
        assert open_to_others(cascan.state_dir) == []
    assert list((cascan.state_dir / "emulator" / "state").iterdir())  # written as the stack ended
    assert open_to_others(cascan.state_dir) == []
    (report,) = (tmp_path / "wanted").iterdir()
    assert report.stat().st_mode & 0o777 == 0o666
