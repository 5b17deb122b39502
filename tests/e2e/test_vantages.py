"""The same address from two network namespaces: one request, two scans, two inventories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.cascan_command import Cascan
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
LISTEN = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print(flush=True); sys.stdin.read()"
)
PORTS = {"east": 8001, "west": 8002}  # vantage → what listens there


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def listen(namespace: str, port: int, until: ExitStack) -> None:
    """A service in the namespace, until the stack of contexts is left."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", LISTEN, str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    until.enter_context(process)
    assert process.stdin
    assert process.stdout
    until.callback(process.stdin.close)
    assert process.stdout.readline()


@pytest.fixture
def vantages(cascan: Cascan) -> Iterator[tuple[str, ...]]:
    """Two vantages, each a network namespace in which another port is open."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        pytest.skip("only root may make network namespaces, with ip and nsenter")
    with ExitStack() as until:
        for name, port in PORTS.items():
            namespace = f"cascan-{os.getpid()}-{name}"
            ip("netns", "add", namespace)
            until.callback(ip, "netns", "del", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
            listen(namespace, port, until)
            added = cascan("vantage add", name, "--namespace", namespace)
            assert added.code == 0, added.err
            until.callback(cascan, "vantage remove --force", name)
        yield tuple(PORTS)


def open_ports(cascan: Cascan, vantage: str) -> list[int]:
    hosts = cascan("inventory 127.0.0.1 --json --vantage", vantage).json
    return [port["port"] for host in hosts for port in host["ports"] if port["port"] in PORTS.values()]


def read_scan(cascan: Cascan, scan_id: str) -> dict[str, Any]:
    """The scan as the command lists it; empty while there is none."""
    return next((scan for scan in cascan("scans --json").json if scan["id"] == scan_id), {})


def test_two_vantages_see_their_own_ports_of_the_same_address(cascan: Cascan, vantages: tuple[str, ...]) -> None:
    chosen = [word for name in vantages for word in ("--vantage", name)]
    accepted = cascan("scan 127.0.0.1 --no-wait --json", *chosen, nmap=("-p", "8001,8002")).json
    eventually(lambda: read_scan(cascan, accepted["id"]).get("state") == "Done")  # the stack starts the workers
    findings = cascan("findings --json", accepted["id"]).json
    assert [found["attributes"].get("port") for found in findings if found["category"] == "Open Port"] == [8001, 8002]
    scan = read_scan(cascan, accepted["id"])
    assert (scan["outcome"], scan["shardOutcomes"], scan["hostsUp"]) == ("complete", {"complete": 2}, 2)
    assert {name: open_ports(cascan, name) for name in vantages} == {"east": [8001], "west": [8002]}
