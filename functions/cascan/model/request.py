"""A scan request: what a person, a schedule, a rule or a cascade asks for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cascan.limits import MAX_HOPS
from cascan.model.policy_profile import PolicyProfile

MAX_SECONDS = 10 * 366 * 24 * 3600  # ten years: what is longer is a slip of the pen
Seconds = Annotated[int, Meta(ge=0, le=MAX_SECONDS)]


class ScanType(StrEnum):
    """secureCodeBox's names for the two ways to run nmap."""

    NMAP = "nmap"  # unprivileged: connect scans
    NMAP_PRIVILEGED = "nmap-privileged"  # raw sockets: SYN, UDP, OS detection


class PortScan(msgspec.Struct, frozen=True, rename="camel"):
    """Vuls' settings of its external port scanner, name for name."""

    scan_techniques: tuple[str, ...] = ()
    source_port: str = ""
    has_privileged: bool = False
    scanner_bin_path: str = ""


class Origin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the request of a cascade came from."""

    parent_scan: str  # scan ids
    root_scan: str
    rule: str
    cause_id: str  # of the event that the parent was completed
    hop: Annotated[int, Meta(ge=1, le=MAX_HOPS)]


class ScanRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The short form, field for field; a secureCodeBox manifest becomes one of these."""

    name: str = ""  # the series: successive scans of one name are compared
    targets: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()  # nmap's own; targets may stand among them
    scan_type: ScanType | None = None  # None: raw sockets where an option needs them
    policy_profile: PolicyProfile | None = None  # narrows what the operator lets scripts do
    portscan: PortScan | None = None  # becomes parameters and a scan type when the request is completed
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    cascades: dict[str, Any] | None = None
    backoff_limit: Annotated[int, Meta(ge=0, le=20)] | None = None  # None: as the operator says
    active_deadline_seconds: Annotated[int, Meta(ge=1, le=MAX_SECONDS)] | None = None
    ttl_seconds_after_finished: Seconds | None = None  # None: as the operator says; 0: removed at once
    suspend: bool = False
    windows: tuple[str, ...] = ()  # the hours in which it may run, as cascan.windows reads them; none: always
    max_parallel_shards: Annotated[int, Meta(ge=1, le=10_000)] | None = None  # None: as many as the operator allows
    retry_timed_out: bool = False  # hosts that run into --host-timeout are asked once more, with twice the time
    hosts_per_shard: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    authorization: str = ""  # the permission behind the scan: a change or contract number
    contact: str = ""  # who answers when somebody asks about the packets
    idempotency_key: str = ""
    origin: Origin | None = None  # None: not asked for by a cascade
    carried: dict[str, Any] = {}  # of a manifest's spec: without meaning here, inherited by children run elsewhere
