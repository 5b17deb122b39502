"""The loopback address of a console: one of its own where the system has them, so that it shares no cookies.

A browser sends a cookie to every port of a host name or address, and takes all of them for one site. On 127.0.0.1
that is every local program. Linux answers on each address of 127.0.0.0/8, so a console has an address that it
shares with no other service; decisions/0068 has the reasons.
"""

from __future__ import annotations

import errno
import os
import socket
from hashlib import sha256
from pathlib import Path

from cascan_cli.errors import BadInput, CliError

SHARED = "127.0.0.1"
DEFAULT_PORT = 8822
BACKLOG = 64
KERNEL_RELEASE = Path("/proc/sys/kernel/osrelease")
FIRST_BLOCK, BLOCKS = 64, 32  # of 127.64.0.0 to 127.95.255.255


def choose_address(stack: str) -> str:
    """The address for this user and this stack, the same each time, so that bookmarks stay valid.

    127.0.0.1 where the system has no other, or where the browser may be on the Windows side of WSL, which
    forwards no other.
    """
    if _is_wsl():
        return SHARED
    digest = sha256(f"{os.getuid()} {stack}".encode()).digest()
    address = f"127.{FIRST_BLOCK + digest[0] % BLOCKS}.{digest[1]}.{1 + digest[2] % 254}"
    try:
        _bind(address, 0).close()
    except OSError:  # macOS has 127.0.0.1 alone
        return SHARED
    return address


def listen(address: str, port: int | None) -> socket.socket:
    """A socket on the address; without a port on the usual one, or on any if that is taken.

    Raises: BadInput: the port is taken. CliError: the address may not be used.
    """
    usual = DEFAULT_PORT if port is None else port
    try:
        try:
            return _bind(address, usual)
        except OSError as exc:
            if port is not None or exc.errno != errno.EADDRINUSE:
                raise
            return _bind(address, 0)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise BadInput(f"--port {port}: another program uses it") from exc
        raise CliError(f"the console cannot listen on {address}: {exc.strerror}") from exc


def _bind(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _is_wsl() -> bool:
    try:
        return "microsoft" in KERNEL_RELEASE.read_text().lower()
    except OSError:
        return False
