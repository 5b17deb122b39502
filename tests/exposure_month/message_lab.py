"""`python -m tests.exposure_month.message_lab [NUMBER ...]`: messages about a lossy lab, see Trial.

As messages.py, but with the real nmap on a real network, in real time. It needs root, nmap, nft,
iproute2 and util-linux, and prints its count as JSON. Ports open and close; the second look is asked
for at once. Exit code 1: a thread is missing, false or late, or a message came twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from cascan.exposure_updates.confirm import CONFIRMED_KINDS, CONNECT_SCAN
from cascan.model.exposure import ExposureState, MoveKind
from cascan.model.history import HOST_NOT_UP
from cascan.queries.exposure_looks import to_seen_state
from cascan_cli.input.report_looks import read_report_looks
from tests.exposure_month.drift import (
    ADDRESSES,
    EXPECTED,
    SCANNED_PORTS,
    START,
    UNEXPECTED_PORT,
    Drift,
    DriftKind,
    find_services,
)
from tests.exposure_month.lossy_network import INSIDE, TOOLS, LossyNetwork, build_network, run_inside
from tests.exposure_month.messages import BETWEEN_SCANS, Count, Faults, MessageMonth, Wakeup
from tests.exposure_month.month import WATCHED_PORTS
from tests.support.message_sink import MessageSink, serve_sink

MODULE = "tests.exposure_month.message_lab"
SECONDS_OF_REPEATS = 0.3  # for each scan: an event is delivered again up to so many seconds later
FAULTS = ("false_threads", "missing_threads", "repeats", "steps_twice", "late", "unfinished", "unknown")
FIRST_SCAN, SHORTEST = 1, 2  # of a change: it begins after so many scans, and lasts at least so many


class Trial(NamedTuple):
    scans: int = 100
    changes: int = 20
    lost_percent: int = 5  # of the packets, each way
    hosts: int = len(ADDRESSES)
    refused_percent: int = 5  # of the messages, with 503
    seed: int = 1


class MessageLab(MessageMonth):
    """Scans of a lossy network, whose changes are counted in scans, and what a sink is sent."""

    def __init__(self, network: LossyNetwork, sink: MessageSink, trial: Trial, folder: Path) -> None:
        super().__init__(trial.seed, Faults(refusals=trial.refused_percent / 100), sink)
        self.scans = trial.scans
        self.network, self.folder, self.addresses = network, folder, ADDRESSES[: trial.hosts]
        self.drifts = draw_port_changes(self.random, trial, self.addresses)
        self.longest_delay = timedelta(seconds=trial.scans * SECONDS_OF_REPEATS)
        self.scanned_at = START  # the moment of the changes, which are as far apart as nightly scans

    def run_scans(self) -> Count:
        for number in range(self.scans):
            self.scan, self.scanned_at = number + 1, START + number * BETWEEN_SCANS
            self._change_network()
            ports = ",".join(map(str, SCANNED_PORTS))
            self._scan(["-sT"], ports, self.addresses, WATCHED_PORTS)
            self._confirm()
            self._deliver_until(_now())
        while self.wakeups:
            time.sleep(max(0.0, (min(self.wakeups).at - _now()).total_seconds()))
            self._deliver_until(_now())
        return self._count_messages()

    def _change_network(self) -> None:
        services = {address: find_services(address, self.drifts, self.scanned_at) for address in self.addresses}
        self.network.open_ports([(address, port) for address, ports in services.items() for port in ports or ()])

    def _scan(self, options: list[str], ports: str, addresses: tuple[str, ...], watched: tuple[int, ...]) -> None:
        """One run of nmap, whose looks are judged, and whose moves are announced."""
        self.runs += 1
        report = self.folder / f"{self.runs}.xml"
        command = ["nmap", "--unprivileged", "-n", *options, "-p", ports, "-oX", str(report), *addresses]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
        self.now = _now()
        looks = read_report_looks([str(report)]).looks
        for address in addresses:
            for number in watched:
                look = looks.get(address, [None])[0]
                seen = to_seen_state(look, ("tcp", number)) if look else None
                self._count_look(address, number, seen.state if seen else HOST_NOT_UP)
        self._announce()
        self._deliver_until(_now())

    def _count_look(self, address: str, number: int, state: str) -> None:
        is_open = number in (find_services(address, self.drifts, self.scanned_at) or ())
        self.result.looks += 1
        self.result.wrong_looks += is_open != (state == "open")
        self._judge(address, number, state, service="")

    def _confirm(self) -> None:
        """The second look at once, as cascan.exposure_updates.confirm asks for it."""
        hosts_by_port: dict[int, set[str]] = {}
        for (address, number, kind), exposure in self.exposures.items():
            if exposure.state is ExposureState.OPEN and kind in CONFIRMED_KINDS:
                hosts_by_port.setdefault(number, set()).add(address)
        for number, addresses in sorted(hosts_by_port.items()):
            self._scan(list(CONNECT_SCAN), f"T:{number}", tuple(sorted(addresses)), (number,))

    def _take_turn(self, wakeup: Wakeup) -> None:
        self.now = _now()
        super()._take_turn(wakeup)


def draw_port_changes(random: Random, trial: Trial, addresses: tuple[str, ...]) -> list[Drift]:
    """Half of them ports that open, half of them ports that close, each at a place of its own."""
    scans, openings = trial.scans, trial.changes // 2
    places = [(address, UNEXPECTED_PORT) for address in random.sample(addresses, openings)]
    expected = [(address, port) for address in addresses for port in EXPECTED]
    places += random.sample(expected, trial.changes - openings)
    drifts = []
    for number, (address, port) in enumerate(places):
        kind = DriftKind.PORT_OPENS if number < openings else DriftKind.PORT_CLOSES
        begins = random.randint(FIRST_SCAN, scans - SHORTEST - 2)
        lasts = random.randint(SHORTEST, max(SHORTEST, min(scans // 3, scans - begins - 2)))
        begins_at = START + begins * BETWEEN_SCANS
        drifts.append(Drift(kind, address, (port,), begins_at, begins_at + lasts * BETWEEN_SCANS))
    return drifts


def find_missing_tools() -> str:
    """What the lab lacks here; empty: nothing."""
    if os.geteuid() != 0:
        return "root"
    return ", ".join(tool for tool in TOOLS if shutil.which(tool) is None)


def run_lab(trial: Trial) -> dict[str, object]:
    """The count, and how many looks there were. It runs in the namespaces of the process."""
    began = time.monotonic()
    addresses = ADDRESSES[: trial.hosts]
    with (
        build_network(addresses, trial.lost_percent) as network,
        tempfile.TemporaryDirectory() as folder,
        serve_sink() as sink,
    ):
        lab = MessageLab(network, sink, trial, Path(folder))
        count = lab.run_scans()
        count.changes = trial.changes
        looks = {"runs_of_nmap": lab.runs, "looks": lab.result.looks, "wrong_looks": lab.result.wrong_looks}
        waits = lab.find_waits(MoveKind.OPENED, lab.list_changed())
        slowest = max(wait.total_seconds() for wait in waits) if waits else None
        return asdict(count) | looks | {"slowest_s": slowest, "seconds": round(time.monotonic() - began)}


def _now() -> datetime:
    return datetime.now(UTC)


def run_as_command(module: str, run: Callable[[Trial], dict[str, object]], faults: Collection[str]) -> int:
    """Run the trial of the command line in a network namespace, and print its count. Returns the exit code."""
    trial = Trial(*map(int, sys.argv[1:]))
    if INSIDE in os.environ:
        print(json.dumps(run(trial)))
        return 0
    if missing := find_missing_tools():
        sys.exit(f"the lab needs {missing}")
    ran = run_inside(module, map(str, trial))
    print(ran.stdout, end="")
    if ran.returncode:
        return ran.returncode
    count = json.loads(ran.stdout)
    return 1 if any(count[name] for name in faults) else 0


if __name__ == "__main__":
    sys.exit(run_as_command(MODULE, run_lab, FAULTS))
