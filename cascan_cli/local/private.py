"""Files and folders that only their owner can read, whatever the user's umask is.

Processes of the stack and their children have PRIVATE_UMASK. The command keeps the user's umask for
the reports that it writes where the user wants them.
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
    """Create the folder unless it exists; an existing one keeps its mode. The parent must exist."""
    with suppress(FileExistsError):
        path.mkdir(FOLDER_MODE)


def open_for_writing(path: Path) -> BinaryIO:
    """The file, empty and open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, FILE_MODE), "wb")


def create_file(path: Path, text: str) -> None:
    """Create the file unless it exists.

    If two processes do so at once, both find the complete file of the first.
    """
    draft = _draft(path, text)
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def replace_file(path: Path, text: str) -> None:
    """Replace the file atomically: a reader gets the old one or the new one, and never a part."""
    _draft(path, text).replace(path)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    with open_for_writing(draft) as file:
        file.write(text.encode())
    return draft


def tighten(root: Path) -> None:
    """Remove the permissions of other users from everything below `root`.

    An earlier version may have left them.

    Links are not followed, and files of other users are not changed. The folders directly below
    `root` come last, on which `is_private` relies.
    """
    for folder, folders, names in os.walk(root, topdown=False):
        for name in (*names, *folders):
            path = Path(folder, name)
            with suppress(FileNotFoundError, PermissionError):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & OTHERS:
                    path.chmod(stat.S_IMODE(mode) & ~OTHERS)


def is_private(path: Path) -> bool:
    """Whether other users have no permissions for the folder.

    `tighten` changes the folder after everything in it.
    """
    return not path.stat().st_mode & OTHERS
