"""Principals: who requested a scan, or decided something, as people read it."""

from __future__ import annotations

import getpass

# The emulator of a local stack names its account as the sender of every message. The stack answers its owner alone
LOCAL_ACCOUNT = "000000000000"


def describe_principal(principal: str) -> str:
    """The principal; on the stack of this machine the user's name."""
    return find_user() or principal if principal == LOCAL_ACCOUNT else principal


def find_user() -> str:
    """The name of this user; empty: it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return ""
