"""Files and folders that their owner alone may read, whatever the umask of the person is.

Processes of the stack have PRIVATE_UMASK, and so has whatever they start; the command keeps the person's own, for the
reports that are written where the person wants them.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PRIVATE_UMASK = 0o077
FILE_MODE, FOLDER_MODE = 0o600, 0o700
OTHERS = 0o077


def make_folder(path: Path) -> None:
    """Make the folder unless it is there; one that is keeps its mode. Its parent has to be there."""
    with suppress(FileExistsError):
        path.mkdir(FOLDER_MODE)


def open_for_writing(path: Path) -> BinaryIO:
    """The file, empty."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE), "wb")


def create_file(path: Path, text: str) -> None:
    """Write the file unless there is one: of two processes at once, the first one's counts, and both find it whole."""
    draft = _draft(path, text)
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def replace_file(path: Path, text: str) -> None:
    """Write the file; whoever reads it meanwhile gets the old one or the new one, whole."""
    _draft(path, text).replace(path)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    with open_for_writing(draft) as file:
        file.write(text.encode())
    return draft


def tighten(root: Path) -> None:
    """Take what others may do from everything below `root`, which an earlier version may have left open.

    Links are not followed; what belongs to somebody else stays as it is. The folders directly below come last: see
    `is_private`.
    """
    for folder, folders, names in os.walk(root, topdown=False):
        for name in (*names, *folders):
            path = Path(folder, name)
            with suppress(FileNotFoundError, PermissionError):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & OTHERS:
                    path.chmod(stat.S_IMODE(mode) & ~OTHERS)


def is_private(path: Path) -> bool:
    """Whether others may do nothing with the folder itself, which is so once `tighten` has been through it."""
    return not path.stat().st_mode & OTHERS
