"""A scan request: what a person, a schedule, a rule or a cascade asks for."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class ScanType(StrEnum):
    """secureCodeBox's names for the two ways to run nmap."""

    NMAP = "nmap"  # unprivileged: connect scans
    NMAP_PRIVILEGED = "nmap-privileged"  # raw sockets: SYN, UDP, OS detection


class ScanRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The short form, field for field; a secureCodeBox manifest becomes one of these."""

    name: str = ""  # the series: successive scans of one name are compared
    targets: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()  # nmap's own; targets may stand among them
    scan_type: ScanType = ScanType.NMAP
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    cascades: dict[str, Any] | None = None
    backoff_limit: int = 3
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool = False
    hosts_per_shard: int | None = None
    authorization: str = ""  # the permission behind the scan: a change or contract number
    contact: str = ""  # who answers when somebody asks about the packets
    idempotency_key: str = ""
