"""The secret of a stack: what every call of its emulator carries, in a file that the owner alone may read."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from cascan_cli.errors import StateUnreadable
from cascan_cli.local.private import create_file

BYTES = 32
FORM = re.compile(r"[A-Za-z0-9_-]{43}")  # so many in URL-safe base64


def read_secret(path: Path) -> str:
    """The secret in the file; made the first time, and of two commands at once both get the same.

    Raises: StateUnreadable: the file holds none.
    """
    if not path.exists():
        create_file(path, secrets.token_urlsafe(BYTES))
    try:
        secret = path.read_text("ascii").strip()
    except (OSError, ValueError) as exc:
        raise _unusable(path, f"it cannot be read ({exc})") from exc
    if not FORM.fullmatch(secret):
        raise _unusable(path, "it does not hold a secret")
    return secret


def _unusable(path: Path, why: str) -> StateUnreadable:
    return StateUnreadable(
        f"{path} is damaged: {why}. End the stack (cascan local down), delete that file, and start again: "
        "the next stack gets another secret"
    )
