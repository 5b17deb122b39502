"""The requests: wide scans that are all there at the beginning, and two small ones in the middle."""

from __future__ import annotations

import json

from cascan.ids import derive_scan_id
from on_scan_requested.message import Message

HOSTS_PER_SHARD = 16
SMALL_SHARDS = 4
SMALL, EXPRESS = "small", "express"
OPTIONS = ["-Pn", "-n", "-p", "22,80,443"]


def build_wide_request(number: int, shards: int) -> Message:
    """A scan of `shards` shards, at most 2,048. Two scans share a /16, so 512 fit into 10.0.0.0/8."""
    second, half = divmod(number, 2)
    networks, rest = divmod(shards * HOSTS_PER_SHARD, 256)
    base = half * 128
    targets = [f"10.{second}.{base}-{base + networks - 1}.0-255"] if networks else []
    targets += [f"10.{second}.{base + networks}.0-{rest - 1}"] if rest else []
    return _build_message(f"wide-{number}", targets)


def build_small_request() -> Message:
    """A scan of SMALL_SHARDS shards for workers."""
    return _build_message(SMALL, [f"10.255.255.0-{SMALL_SHARDS * HOSTS_PER_SHARD - 1}"])


def build_express_request() -> Message:
    """A scan of one shard, which the express function runs."""
    return _build_message(EXPRESS, ["10.255.254.1"])


def find_scan_id(message: Message) -> str:
    return derive_scan_id(message.message_id)


def _build_message(name: str, targets: list[str]) -> Message:
    request = {"name": name, "targets": targets, "parameters": OPTIONS, "hostsPerShard": HOSTS_PER_SHARD}
    return Message(message_id=name, body=json.dumps(request))
