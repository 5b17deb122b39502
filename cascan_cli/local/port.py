"""A port to stay with: free now, and likely to be free whenever the stack is started again."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from pathlib import Path

LOWEST_PORT, PORT_TRIES = 20_000, 50
EPHEMERAL, FIRST_EPHEMERAL_PORT = Path("/proc/sys/net/ipv4/ip_local_port_range"), 49_152


def free_port(host: str) -> int:
    """A port that is free, and below those that the kernel hands out: between two commands nobody gets it by chance."""
    candidates = range(LOWEST_PORT, _first_ephemeral_port())
    for port in secrets.SystemRandom().sample(candidates, min(PORT_TRIES, len(candidates))):
        with suppress(OSError):
            return _bound(host, port)
    return _bound(host, 0)  # any at all


def _bound(host: str, port: int) -> int:
    with socket.socket() as probe:
        probe.bind((host, port))
        bound: int = probe.getsockname()[1]
        return bound


def _first_ephemeral_port() -> int:
    """Source: ip(7). Elsewhere than on Linux: where IANA has them begin."""
    try:
        return int(EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return FIRST_EPHEMERAL_PORT
