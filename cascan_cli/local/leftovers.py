"""What an earlier run left behind: scratch and drafts that nobody will read, a snapshot that is not of one moment."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from cascan_cli.local.lock import is_alive

MAX_UNPACKED = 32  # functions that earlier runs unpacked, 7 MB each; removing a run's slows it by half a second
MAX_UNPACKED_AGE_S = 86_400.0
UNPACKED = "ministack-lambda-"  # what the emulator calls the folder of a function
DRAFT = re.compile(r".+\.(?P<pid>\d{1,10})\.\d+")  # as private.py names them
SHARD = "shard-"  # what a worker or a function calls the folder of an nmap: its report may be as large as the disk
LONGEST_EXPRESS_S = 3_600.0  # a function runs for 15 minutes at most


def clear_scratch(tmp: Path, *, everything: bool) -> None:
    """Before a run, when no process uses the folder. What a killed worker or function left goes at once, whatever its
    size; the unpacked functions, which a killed emulator leaves, once they are many or old. `everything`: those too.
    """
    unpacked = [path for path in tmp.iterdir() if path.name.startswith(UNPACKED)]
    everything = everything or len(unpacked) >= MAX_UNPACKED
    oldest = time.time() - MAX_UNPACKED_AGE_S
    for path in tmp.iterdir():
        if everything or not path.name.startswith(UNPACKED) or _changed_at(path) < oldest:
            _remove(path)


def sweep_scratch(tmp: Path) -> None:
    """During a run: the folders of functions that were killed. A folder younger than any function may still be used."""
    oldest = time.time() - LONGEST_EXPRESS_S
    for path in tmp.glob(f"{SHARD}*"):
        if _changed_at(path) < oldest:
            _remove(path)


def is_inconsistent(snapshot: Path, started: Path) -> bool:
    """The emulator was killed while it saved its services one by one, or could not save all: some of the files are of
    its last run and some are older. `started` was written when that run began.

    After a run that was killed at any other moment the snapshot is that of the run before: old, but of one moment.
    """
    began_at = _changed_at(started)
    changed = [_changed_at(path) >= began_at for path in snapshot.rglob("*.json")]
    return bool(began_at) and any(changed)


def drop_drafts(root: Path) -> None:
    """`name.PID.THREAD`, which process PID was about to put in the place of `name`, once there is no such process."""
    for path in root.iterdir():
        draft = DRAFT.fullmatch(path.name)
        if draft and not is_alive(int(draft["pid"])):
            _remove(path)


def _changed_at(path: Path) -> float:
    """0: it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
