"""Clean up after earlier runs: scratch folders, drafts of files, and inconsistent snapshots."""

from __future__ import annotations

import time
from pathlib import Path

from cascan.patterns import compile_pattern
from cascan_cli.local.lock import is_alive

MAX_UNPACKED = 32  # folders of 7 MB each; removing those of one run takes half a second
MAX_UNPACKED_AGE_S = 86_400.0
UNPACKED = "ministack-lambda-"  # the emulator's prefix for the folder of a function
DRAFT = r".+\.(?P<pid>\d{1,10})\.\d+"  # the names that private.py makes
# The prefix of nmap's folder in a worker or a function; its report may fill the disk
SHARD = "shard-"
LONGEST_EXPRESS_S = 3_600.0  # a function runs for 15 minutes at most


def clear_scratch(tmp: Path, *, everything: bool) -> None:
    """Before a run, when no process uses the folder: remove everything except unpacked functions.

    Unpacked functions, which a killed emulator leaves, are removed when they are many or old, or
    with `everything`.
    """
    unpacked = [path for path in tmp.iterdir() if path.name.startswith(UNPACKED)]
    everything = everything or len(unpacked) >= MAX_UNPACKED
    oldest = time.time() - MAX_UNPACKED_AGE_S
    for path in tmp.iterdir():
        if everything or not path.name.startswith(UNPACKED) or _changed_at(path) < oldest:
            _remove(path)


def sweep_scratch(tmp: Path) -> None:
    """During a run: remove folders of killed functions.

    A folder younger than LONGEST_EXPRESS_S may be in use.
    """
    oldest = time.time() - LONGEST_EXPRESS_S
    for path in tmp.glob(f"{SHARD}*"):
        if _changed_at(path) < oldest:
            _remove(path)


def is_inconsistent(snapshot: Path, started: Path) -> bool:
    """Whether the emulator was killed while it saved its state, or could not save it all.

    Then some files are of its last run, which began when `started` was written, and others are
    older. If it was killed at another time, the snapshot is that of the run before: older, but
    consistent.
    """
    began_at = _changed_at(started)
    is_new = [_changed_at(path) >= began_at for path in snapshot.rglob("*.json")]
    return bool(began_at) and any(is_new)


def drop_drafts(root: Path) -> None:
    """Remove `name.PID.THREAD`, the draft of a new `name`, if process PID has ended."""
    for path in root.iterdir():
        draft = compile_pattern(DRAFT).fullmatch(path.name)
        if draft and not is_alive(int(draft["pid"])):
            _remove(path)


def _changed_at(path: Path) -> float:
    """The time of the last change; 0 if the file does not exist."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        from shutil import rmtree

        rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
