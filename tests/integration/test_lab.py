"""The lab itself: who is there, how far away, and that nothing of it outlives the process that made it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import fromstring

from tests.lab import ROOT, Lab
from tests.lab.network import FAR, HOSTS, ROUND_TRIP_MS
from tests.lab.services import SERVICES
from tests.support.waiting import eventually

PING = """
import json, socket, time
def connect_s():
    started = time.perf_counter()
    socket.create_connection(("{address}", {port}), timeout=5).close()
    return time.perf_counter() - started
print(json.dumps([connect_s() for _ in range({times})]))
"""
CONNECTIONS = 20  # one after another: of so many one is not held up
HOLD = "from tests.lab import lab\nwith lab() as it:\n    print(it.pid, flush=True)\n    input()\n"


def connect_s(lab: Lab, address: str, port: int) -> list[float]:
    """What each of some connections took."""
    ran = lab.run(sys.executable, "-c", PING.format(address=address, port=port, times=CONNECTIONS))
    assert ran.returncode == 0, ran.stderr
    found: list[float] = json.loads(ran.stdout)
    return found


def states(lab: Lab, *nmap: str) -> dict[tuple[str, str, int], str]:
    """(Address, protocol, port) → state, as a raw scan of the scanner sees it."""
    ran = lab.run("nmap", "-n", "-Pn", "-oX", "-", *nmap)
    assert ran.returncode == 0, ran.stderr
    hosts: Any = fromstring(ran.stdout).findall("host")
    return {
        (host.find("address").get("addr"), port.get("protocol"), int(port.get("portid"))): state.get("state")
        for host in hosts
        for port in host.findall("ports/port")
        for state in port.findall("state")
    }


def test_each_service_of_the_lab_is_found_open_by_nmap(network_lab: Lab) -> None:
    offered = {(s.address, "udp" if s.udp else "tcp", port) for s in SERVICES for port in s.ports}
    ports = ",".join(f"{protocol[0].upper()}:{port}" for _, protocol, port in sorted(offered))
    found = states(network_lab, "-sS", "-sU", "-p", ports, *{address for address, _, _ in offered})

    assert {key for key, state in found.items() if state == "open"} == offered
    assert set(found.values()) == {"open", "closed"}


def test_the_silent_host_is_there_and_says_nothing(network_lab: Lab) -> None:
    scan = ("-sS", "-sU", "-p", "T:22,80,U:53", "--max-retries", "1", HOSTS["silent"])

    assert set(states(network_lab, *scan).values()) == {"filtered", "open|filtered"}


def test_behind_the_slow_link_an_answer_takes_its_ten_milliseconds_and_an_address_of_nobody_never_answers(
    network_lab: Lab,
) -> None:
    nobody = "198.51.100.11"
    assert nobody not in FAR
    # Load only adds: the link's time is below every connection behind it, and above the best of those before it.
    assert min(connect_s(network_lab, FAR[-1], 80)) >= ROUND_TRIP_MS / 1000
    assert min(connect_s(network_lab, HOSTS["web"], 80)) < ROUND_TRIP_MS / 1000
    scan = ("-sS", "-p", "80", "--max-retries", "0", nobody)
    assert set(states(network_lab, *scan).values()) == {"filtered"}


def test_the_lab_knows_no_way_out(network_lab: Lab) -> None:
    routes = network_lab.run("ip", "route").stdout

    assert {line.split()[0] for line in routes.splitlines()} == {"192.0.2.0/24", "198.51.100.0/24"}


def test_a_lab_ends_with_its_maker_even_when_that_is_killed(network_lab: Lab) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as maker:
        assert maker.stdout
        first = Path(f"/proc/{int(maker.stdout.readline())}")
        assert network_lab.pid != int(first.name)  # two labs stand side by side
        namespace = (first / "ns" / "net").readlink()
        maker.send_signal(signal.SIGKILL)
    eventually(lambda: namespace not in namespaces_in_use())


def namespaces_in_use() -> set[Path]:
    used = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            used.add((process / "ns" / "net").readlink())
        except OSError:  # it has ended meanwhile
            continue
    return used
