"""What is open where: one item per address, protocol and port."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A port as one scan saw it."""

    address: str
    protocol: str
    port: int
    state: str
    seen_at: datetime
    scan_id: str
    service: str = ""
    product: str = ""
    version: str = ""
    hostname: str = ""


class PortRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A port as the inventory holds it: the latest sighting, and when the first was."""

    latest: Sighting
    first_seen: datetime
