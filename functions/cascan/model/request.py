"""A scan request of a person, a schedule or a cascade."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cascan.limits import MAX_HOPS
from cascan.model.identity import IdentityKind
from cascan.model.policy_profile import PolicyProfile

MAX_SECONDS = 10 * 366 * 24 * 3600  # ten years: a longer time is a mistake
Seconds = Annotated[int, Meta(ge=0, le=MAX_SECONDS)]


class ScanType(StrEnum):
    """secureCodeBox's names for the two ways to run nmap."""

    NMAP = "nmap"  # unprivileged: connect scans
    NMAP_PRIVILEGED = "nmap-privileged"  # raw sockets: SYN, UDP, OS detection


class PortScan(msgspec.Struct, frozen=True, rename="camel"):
    """Vuls' settings of its external port scanner, under the same names."""

    scan_techniques: tuple[str, ...] = ()
    source_port: str = ""
    has_privileged: bool = False
    scanner_bin_path: str = ""


class Origin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the request of a cascade came from."""

    parent_scan: str  # scan ids
    root_scan: str
    rule: str
    cause_id: str  # the id of the event that completed the parent
    hop: Annotated[int, Meta(ge=1, le=MAX_HOPS)]


class ScanRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The short form has exactly these fields; a secureCodeBox manifest becomes one of these.

    CONTRIBUTING.md says how to add a field.
    """

    name: str = ""  # of the series: scans of one name are compared
    targets: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()  # of nmap; targets may be among them
    scan_type: ScanType | None = None  # None: raw sockets if an option needs them
    policy_profile: PolicyProfile | None = None  # narrows what the operator allows scripts
    portscan: PortScan | None = None  # complete_request() turns it into parameters and a scan type
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    cascades: dict[str, Any] | None = None
    backoff_limit: Annotated[int, Meta(ge=0, le=20)] | None = None  # None: the operator's default
    active_deadline_seconds: Annotated[int, Meta(ge=1, le=MAX_SECONDS)] | None = None
    # None: the operator's default; 0: removed at once
    ttl_seconds_after_finished: Seconds | None = None
    suspend: bool = False
    # in which it may run, as timing/windows.py reads them; empty: always
    windows: tuple[str, ...] = ()
    # None: as many as the operator allows
    max_parallel_shards: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    # where it is scanned from: each gives a scan of its own; empty: from the stack's own workers
    vantage: tuple[str, ...] = ()
    # by what hosts are known in the inventory; None: as the operator's record of their network says
    identity: IdentityKind | None = None
    # hosts that exceed --host-timeout are scanned once more, with twice the time
    retry_timed_out: bool = False
    hosts_per_shard: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    # None: only the stack's limit applies. Compared with the high end of the estimate
    budget_usd: Annotated[float, Meta(ge=0.01, le=1_000_000)] | None = None
    authorization: str = ""  # the permission behind the scan: a change or contract number
    contact: str = ""  # who answers questions about the packets
    idempotency_key: str = ""
    origin: Origin | None = None  # None: not from a cascade
    carried: dict[str, Any] = {}  # of a manifest's spec: only for children that other scanners run
