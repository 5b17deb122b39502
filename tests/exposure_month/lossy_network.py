"""A lossy network on this machine: hosts in a namespace, whose ports open and close, and nft that drops packets.

The scanner is in the namespaces of the process that builds it, which `run_inside` makes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

INSIDE = "CASCAN_LOSSY_NETWORK"  # set in the namespaces
TOOLS = ("ip", "nft", "nmap", "unshare")
SCANNER, WIDTH = "10.0.0.254", 24
Place = tuple[str, int]  # address and port
LISTEN = """
import asyncio, json, sys

async def close(_, writer):
    writer.close()

async def main():
    servers = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        wanted = {tuple(place) for place in json.loads(line)}
        for place in servers.keys() - wanted:
            servers.pop(place).close()
        for place in wanted - servers.keys():
            servers[place] = await asyncio.start_server(close, *place, backlog=64)
        print("changed", flush=True)

asyncio.run(main())
"""


def run_inside(
    module: str, arguments: Iterable[str], *, stdout: int | None = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run a module of the tests in namespaces of its own. `stdout`: None: that of this process."""
    command = ["unshare", "--mount", "--net", "--", sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=os.environ | {INSIDE: "1"}, check=False, stdout=stdout, text=True)


class LossyNetwork:
    """Hosts of which any port may be open; the others answer that they are closed."""

    def __init__(self, listener: subprocess.Popen[str]) -> None:
        self._listener = listener

    def open_ports(self, places: Collection[Place]) -> None:
        """These ports are open from now on, and no others."""
        assert self._listener.stdin
        assert self._listener.stdout
        self._listener.stdin.write(json.dumps(sorted(places)) + "\n")
        self._listener.stdin.flush()
        assert self._listener.stdout.readline() == "changed\n"


@contextmanager
def build_network(addresses: Iterable[str], percent: int) -> Iterator[LossyNetwork]:
    """Of a hundred TCP packets so many are lost, each way."""
    if INSIDE not in os.environ:
        raise RuntimeError("the network is built in namespaces of its own: use run_inside")
    _run("mkdir -p /run/netns")
    _run("mount -t tmpfs tmpfs /run/netns")  # in this mount namespace only
    for command in (
        "link set lo up",
        "netns add target",
        "link add to-target type veth peer name eth0 netns target",
        f"addr add {SCANNER}/{WIDTH} dev to-target",
        "link set to-target up",
        "-n target link set lo up",
        "-n target link set eth0 up",
        *(f"-n target addr add {address}/{WIDTH} dev eth0" for address in addresses),
    ):
        _run(f"ip {command}")
    _drop_packets(percent)
    with listen_here(("ip", "netns", "exec", "target")) as network:
        yield network


@contextmanager
def listen_here(prefix: tuple[str, ...] = ()) -> Iterator[LossyNetwork]:
    """A process that opens ports on this machine. `prefix`: of its command, as to run it in a namespace."""
    argv = [*prefix, sys.executable, "-c", LISTEN]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listener:
        try:
            yield LossyNetwork(listener)
        finally:
            assert listener.stdin
            listener.stdin.close()


def _drop_packets(percent: int) -> None:
    rules = "table inet lossy {\n"
    for hook in ("input", "output"):
        drop = f"meta l4proto tcp numgen random mod 100 < {percent} drop"
        rules += f"  chain {hook} {{ type filter hook {hook} priority 0; {drop}; }}\n"
    subprocess.run(["ip", "netns", "exec", "target", "nft", "-f", "-"], input=rules + "}\n", text=True, check=True)


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)
