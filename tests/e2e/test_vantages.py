"""The same addresses from three network namespaces: one request, three scans, three inventories.

On 127.0.0.1 each namespace has a service of its own. A server behind a firewall lets one of them in, rejects the
second and drops what the third sends.
"""

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
    "import socket, sys; s = socket.create_server((sys.argv[1], int(sys.argv[2]))); print(flush=True); sys.stdin.read()"
)
PORTS = {"internet": 8001, "office": 8002, "vpc": 8003}  # vantage → what listens there
SERVER, GUARDED, FREE = "10.99.0.1", 5432, 8080  # the server's address, and its ports with and without a firewall
VERDICTS = {"internet": "accept", "office": "drop", "vpc": "reject with tcp reset"}  # of the firewall
STATES = {"internet": "open", "office": "filtered", "vpc": "closed"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def listen(namespace: str, address: str, port: int, until: ExitStack) -> None:
    """A service in the namespace, until the stack of contexts is left."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", LISTEN, address, str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    until.enter_context(process)
    assert process.stdin
    assert process.stdout
    until.callback(process.stdin.close)
    assert process.stdout.readline()


def add_namespace(name: str, until: ExitStack) -> str:
    namespace = f"cascan-{os.getpid()}-{name}"
    ip("netns", "add", namespace)
    until.callback(ip, "netns", "del", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
    return namespace


def connect(namespace: str, server: str, vantage: str, number: int) -> None:
    """A link of the vantage to the server, whose firewall judges what comes from there."""
    ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", vantage, "netns", server)
    for where, device, last in ((namespace, "eth0", 2), (server, vantage, 1)):
        ip("-n", where, "addr", "add", f"10.99.{number}.{last}/30", "dev", device)
        ip("-n", where, "link", "set", device, "up")
    ip("-n", namespace, "route", "add", SERVER, "via", f"10.99.{number}.1")


def guard(server: str) -> None:
    rules = [f'iifname "{name}" tcp dport {GUARDED} {verdict}' for name, verdict in VERDICTS.items()]
    chain = "\n".join(("type filter hook input priority 0", *rules))
    ruleset = f"table inet firewall {{\nchain input {{\n{chain}\n}}\n}}\n"
    subprocess.run(["ip", "netns", "exec", server, "nft", "-f", "-"], input=ruleset, text=True, check=True)


@pytest.fixture
def vantages(cascan: Cascan) -> Iterator[tuple[str, ...]]:
    """Three vantages, each a network namespace in which another port is open, with a link to the server."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "nft"))):
        pytest.skip("only root may make network namespaces, with ip, nsenter and nft")
    with ExitStack() as until:
        server = add_namespace("server", until)
        ip("-n", server, "addr", "add", f"{SERVER}/32", "dev", "lo")
        for number, (name, port) in enumerate(PORTS.items(), start=1):
            namespace = add_namespace(name, until)
            connect(namespace, server, name, number)
            listen(namespace, "127.0.0.1", port, until)
            added = cascan("vantage add", name, "--namespace", namespace)
            assert added.code == 0, added.err
            until.callback(cascan, "vantage remove --force", name)
        guard(server)
        for port in (GUARDED, FREE):
            listen(server, SERVER, port, until)
        yield tuple(PORTS)


def open_ports(cascan: Cascan, vantage: str) -> list[int]:
    hosts = cascan("inventory 127.0.0.1 --json --vantage", vantage).json
    return [port["port"] for host in hosts for port in host["ports"] if port["port"] in PORTS.values()]


def read_scan(cascan: Cascan, scan_id: str) -> dict[str, Any]:
    """The scan as the command lists it; empty while there is none."""
    return next((scan for scan in cascan("scans --json").json if scan["id"] == scan_id), {})


def test_three_vantages_see_their_own_ports_and_the_matrix_shows_what_the_firewall_does(
    cascan: Cascan, vantages: tuple[str, ...]
) -> None:
    chosen = [word for name in vantages for word in ("--vantage", name)]
    targets = ("127.0.0.1:8001-8003", f"{SERVER}:{GUARDED},{FREE}")  # each host is asked its own ports
    accepted = cascan("scan --no-wait --json", *targets, *chosen).json
    eventually(lambda: read_scan(cascan, accepted["id"]).get("state") == "Done")  # the stack starts the workers
    findings = cascan("findings --json", accepted["id"]).json
    opened = [found["attributes"].get("port") for found in findings if found["category"] == "Open Port"]
    assert sorted(opened) == [GUARDED, 8001, 8002, 8003, FREE, FREE, FREE]
    scan = read_scan(cascan, accepted["id"])
    assert (scan["outcome"], scan["shardOutcomes"], scan["hostsUp"]) == ("complete", {"complete": 3}, 6)
    assert {name: open_ports(cascan, name) for name in vantages} == {name: [port] for name, port in PORTS.items()}
    guarded, free = cascan("reach --json", SERVER).json
    matrix = {seen["vantage"]: seen["state"] for seen in guarded["vantages"]}
    assert (guarded["port"], guarded["differs"], matrix) == (GUARDED, True, STATES | {"default": "not covered"})
    assert (free["port"], free["differs"]) == (FREE, False)
