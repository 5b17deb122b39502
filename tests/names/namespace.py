"""Starts a scan of names in a network namespace of its own, and reads what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import msgspec

from cascan.model.scan import Scan
from cascan.model.shard import Shard

UNSHARE = ("unshare", "--net", "--mount", "--propagation", "private")
TIMEOUT_S = 300


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and what the names of it are."""

    zone: dict[str, Any]  # see server.py
    targets: tuple[str, ...]
    arguments: tuple[str, ...] = ("-n", "-sT", "-p", "8080")
    resolv_conf: str = ""  # behind the line with the name server
    hosts: str = ""
    allowed: tuple[str, ...] = ("127.0.0.0/8",)
    hosts_per_shard: int = 256
    backoff_limit: int = 3
    within_s: float = 30.0  # of one lookup


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    scan: Scan
    shards: tuple[Shard, ...]
    done: tuple[str, ...]  # what became of each delivery of a shard's message
    asked: dict[str, int]  # how often the server was asked for a name
    hosts: dict[str, str]  # address → the name that its record in the inventory has
    end: dict[str, Any]  # the last event on the bus


def missing() -> str:
    """Why this machine cannot run a scenario; empty: it can."""
    if not shutil.which("nmap"):
        return "nmap is not installed"
    if os.geteuid() != 0:
        return "namespaces with a resolv.conf of their own need root"
    tried = subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"namespaces are not permitted: {tried.stderr.strip()}"


def scan_names(scenario: Scenario) -> Result:
    """Raises: AssertionError: the program failed, its words in the error."""
    program = f"ip link set lo up && exec {sys.executable} -m tests.names.scan"
    ran = subprocess.run(
        [*UNSHARE, "sh", "-c", program],
        input=msgspec.json.encode(scenario),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return msgspec.json.decode(ran.stdout, type=Result)
