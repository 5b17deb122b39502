"""A vantage point: a place from which addresses are scanned, and the workers that stand there.

The inventory and the history are kept for each vantage by itself, since the same address may look
different from another place, or be another host there.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from cascan.patterns import compile_pattern

DEFAULT_VANTAGE = "default"  # of the stack's own workers, and of everything that was stored before
EXPRESS_VANTAGE = "express"  # reserved: for an express function outside the network of the workers
NAME = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
NAME_RULE = "1 to 32 of a-z, 0-9 and '-', with a letter or digit at both ends"


class Vantage(msgspec.Struct, frozen=True, kw_only=True):
    """A worker pool besides the stack's own: the queues that its workers drain, and what they reach."""

    name: str
    queues: dict[str, str]  # URLs by lane: connect, raw
    description: str = ""
    networks: tuple[str, ...] = ()  # IPv4 networks that its workers reach; empty: not known, so any
    has_ipv6: bool = False
    namespace: str = ""  # on one machine: the network namespace that nmap enters
    stored_at: datetime | None = None
    # Its scans run to their end, and new ones are refused
    removed_at: datetime | None = None


def is_vantage_name(text: str) -> bool:
    return compile_pattern(NAME).fullmatch(text) is not None
