"""The lab's network: a bridge with a namespace for each host, and a router with a slow link behind it."""

from __future__ import annotations

import subprocess

from tests.lab.slow_link import start_slow_link

SCANNER = "192.0.2.2"
ROUTER = "192.0.2.1"
HOSTS = {
    "web": "192.0.2.10",
    "tls": "192.0.2.11",
    "ssh": "192.0.2.12",
    "files": "192.0.2.13",
    "silent": "192.0.2.14",
    "desk": "192.0.2.15",
}
FAR_NETWORK = "198.51.100.0/24"
FAR = tuple(f"198.51.100.{last}" for last in range(10, 256, 32))  # of each 32 addresses the one that somebody has
LINK = ("203.0.113.1", "203.0.113.2")  # the slow link's ends
ROUND_TRIP_MS = 10.0


def build_network() -> None:
    """Everything but the services. Raises: subprocess.CalledProcessError: the kernel refused, its words in stderr."""
    ip("link set lo up")
    ip("link add lan type bridge")
    ip(f"addr add {SCANNER}/24 dev lan")
    ip("link set lan up")
    for name, address in {"router": ROUTER, **HOSTS}.items():
        _add_host(name, address)
    # Every packet that comes in meets this policy, whatever it is for: no reset, no ICMP error. ARP is no matter of it.
    ip("-n silent xfrm policy add dir in src 0.0.0.0/0 dst 0.0.0.0/0 action block")
    _add_far()


def _add_host(name: str, address: str) -> None:
    ip(f"netns add {name}")
    ip(f"link add to-{name} type veth peer name eth0 netns {name}")
    ip(f"link set to-{name} master lan up")
    ip(f"-n {name} link set lo up")
    ip(f"-n {name} addr add {address}/24 dev eth0")
    ip(f"-n {name} link set eth0 up")


def _add_far() -> None:
    """Behind the slow link one namespace holds all the addresses; what comes for another one it drops unanswered."""
    ip("netns add far")
    ip("-n far link set lo up")
    start_slow_link("router", "far", ROUND_TRIP_MS / 2000)
    for name, (ours, theirs) in {"router": LINK, "far": LINK[::-1]}.items():
        ip(f"-n {name} addr add {ours} peer {theirs} dev slow")
        ip(f"-n {name} link set slow up")
    for address in FAR:
        ip(f"-n far addr add {address}/32 dev lo")
    ip(f"-n far route add default via {LINK[0]}")
    ip(f"-n router route add {FAR_NETWORK} via {LINK[1]}")
    ip(f"route add {FAR_NETWORK} via {ROUTER}")
    subprocess.run(
        ["ip", "netns", "exec", "router", "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True, capture_output=True
    )


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True)
