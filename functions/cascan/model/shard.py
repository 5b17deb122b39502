"""A shard: the part of a scan that one nmap process does."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.model.scan import Outcome


class Lane(StrEnum):
    """Which queue a shard waits in, and so what kind of worker takes it."""

    EXPRESS = "express"  # a Lambda: small, unprivileged
    CONNECT = "connect"  # a Fargate task without any capability
    RAW = "raw"  # a Fargate task that keeps NET_RAW


class ShardState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    REPORTED = "reported"  # nmap ended; its report is on the way
    RECORDED = "recorded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({ShardState.QUEUED, ShardState.RUNNING, ShardState.REPORTED})


class TargetSlice(msgspec.Struct, frozen=True):
    """Addresses number `start` (counted from 0) up to, not including, `stop` of a target expression."""

    expression: str
    start: int
    stop: int


class NmapRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of nmap did, apart from its XML."""

    argv: tuple[str, ...] = ()
    exit_code: int | None = None  # None: nmap was not started
    stopped: str = ""  # why we stopped it: "deadline", "size"; empty: it ended by itself
    stderr: str = ""
    addresses: int = 0  # asked, after names were resolved and excludes taken out
    resolved: dict[str, tuple[str, ...]] = {}  # name → the addresses that were scanned for it
    unresolved: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()  # outside the scope once resolved, one sentence each
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One shard, as planned and as far as it got."""

    scan_id: str
    number: int  # from 0
    lane: Lane
    slices: tuple[TargetSlice, ...]
    arguments: tuple[str, ...]  # canonical nmap options, without targets and output
    family: int = 4  # 4 or 6: one address family per process
    exclude: tuple[str, ...] = ()
    addresses: int = 0
    state: ShardState = ShardState.QUEUED
    attempt: int = 0
    worker: str = ""
    run: NmapRun | None = None
    outcome: Outcome | None = None
    error_description: str = ""


class ShardClosing(msgspec.Struct, frozen=True, kw_only=True):
    """How a shard ended, and what it adds to its scan."""

    state: ShardState  # recorded or failed
    outcome: Outcome
    severities: dict[str, int] = {}
    categories: dict[str, int] = {}
    findings: int = 0
    hosts_up: int = 0
    error_description: str = ""
