"""Tell systemd how far a service is, if this process is one with `Type=notify`.

Source: sd_notify(3): datagrams to the socket in NOTIFY_SOCKET; a name with @ is an abstract socket.
"""

from __future__ import annotations

import os
import socket

VARIABLE = "NOTIFY_SOCKET"
READY, STOPPING = "READY=1", "STOPPING=1"


def notify_systemd(state: str) -> bool:
    """Send the state. False: no service manager waits for it, or it does not listen any more."""
    address = os.environ.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), address)
    except OSError:
        return False
    return True
