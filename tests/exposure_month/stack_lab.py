"""`python -m tests.exposure_month.stack_lab [SCANS [CHANGES [PERCENT [HOSTS]]]]`: as message_lab.py, on a whole stack.

Each scan is a `cascan scan` on a stack of this machine, whose functions judge the report, ask for the
second look and post to a sink, all in real time. Stack and hosts are in a network namespace of their
own; of the packets to and from the hosts, nft drops some. It needs root, nmap, nft and iproute2, and
takes about a quarter of an hour. Prints its count as JSON. Exit code 1: a thread is missing or false,
a message came twice or late.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from random import Random

from cascan.ids import derive_exposure_id
from cascan.messages.fields import build_exposure_key
from tests.e2e.cascan_command import Cascan, stack_up
from tests.exposure_month.drift import EXPECTED, SCANNED_PORTS, START, Drift, find_services
from tests.exposure_month.lossy_network import LossyNetwork, listen_here
from tests.exposure_month.message_lab import Trial, draw_port_changes, run_as_command
from tests.exposure_month.messages import BETWEEN_SCANS, SENT_WITHIN
from tests.support.message_sink import MessageSink, serve_sink

MODULE = "tests.exposure_month.stack_lab"
NETWORK = "127.77.0"
QUIET_S, LONGEST_WAIT_S = 20, 120  # at the end: no message for so long, and the longest wait for that
FAULTS = ("false_threads", "missing_threads", "repeats", "steps_twice", "late")


class StackLab:
    """The scans of a trial on a stack, and what its sink was sent."""

    def __init__(self, cascan: Cascan, network: LossyNetwork, sink: MessageSink, trial: Trial) -> None:
        self.cascan, self.network, self.sink, self.trial = cascan, network, sink, trial
        addresses = tuple(f"{NETWORK}.{number + 1}" for number in range(trial.hosts))
        self.addresses = addresses
        self.drifts = draw_port_changes(Random(trial.seed), trial, addresses)  # noqa: S311 - a seeded simulation
        self.ended_at: list[tuple[datetime, datetime]] = []  # of each scan: in the network's time, and in real time

    def run_scans(self) -> None:
        ports = ",".join(map(str, SCANNED_PORTS))
        for number in range(self.trial.scans):
            moment = START + number * BETWEEN_SCANS
            services = {address: find_services(address, self.drifts, moment) for address in self.addresses}
            self.network.open_ports([(address, port) for address, opened in services.items() for port in opened or ()])
            ran = self.cascan("scan", *self.addresses, "--json", nmap=("-n", "-sT", "-p", ports))
            if not ran.out:
                sys.exit(ran.err)
            self.ended_at.append((moment, datetime.fromisoformat(ran.json["scan"]["finishedAt"])))
        self._await_silence()

    def _await_silence(self) -> None:
        end = time.monotonic() + LONGEST_WAIT_S
        count, since = len(self.sink.posts), time.monotonic()
        while time.monotonic() < min(end, since + QUIET_S):
            time.sleep(0.5)
            if len(self.sink.posts) != count:
                count, since = len(self.sink.posts), time.monotonic()

    def count(self) -> dict[str, object]:
        steps: defaultdict[str, list[str]] = defaultdict(list)
        ids = [post.message_id for post in self.sink.posts]
        waits: dict[str, float] = {}
        changed = {_find_key(drift): drift for drift in self.drifts}
        for post in self.sink.posts:
            key = post.document["key"]
            steps[key].append(post.document["step"])
            if key in changed and key not in waits:
                waits[key] = post.received_at - self._find_first_report(changed[key]).timestamp()
        return {
            "changes": len(changed),
            "threads": len(steps),
            "messages": len(ids),
            "repeats": len(ids) - len(set(ids)),
            "steps_twice": sum(first == second for thread in steps.values() for first, second in pairwise(thread)),
            "false_threads": len(steps.keys() - changed.keys()),
            "missing_threads": len(changed.keys() - steps.keys()),
            "late": sum(wait > SENT_WITHIN.total_seconds() for wait in waits.values()),
            "slowest_s": round(max(waits.values(), default=0.0), 1),
            "unfinished": sum(thread[-1] != "resolved" for thread in steps.values()),
        }

    def _find_first_report(self, drift: Drift) -> datetime:
        """When the first scan ended during which the change was there."""
        return next(ended_at for moment, ended_at in self.ended_at if drift.holds_at(moment))


def _find_key(drift: Drift) -> str:
    kind = drift.exposure_kind.value
    return build_exposure_key(derive_exposure_id("default", drift.address, "tcp", drift.ports[0], kind))


@contextmanager
def drop_packets(percent: int) -> Iterator[None]:
    """Of the packets to and from the hosts, on the loopback interface of this namespace."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    drop = f"meta l4proto tcp numgen random mod 100 < {percent} drop"
    rules = (
        "table inet lossy {\n  chain output { type filter hook output priority 0;"
        f" ip daddr {NETWORK}.0/24 {drop}; ip saddr {NETWORK}.0/24 {drop}; }}\n}}\n"
    )
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    yield


def run_lab(trial: Trial) -> dict[str, object]:
    """The count. It runs in a network namespace of the process."""
    began = time.monotonic()
    ports = list(EXPECTED)
    file = f"settings: {{confirm: true}}\nexpected:\n- {{who: {NETWORK}.0/24, ports: {ports}, required: true}}\n"
    with tempfile.TemporaryDirectory() as folder, drop_packets(trial.lost_percent), serve_sink() as sink:
        path = Path(folder)
        (path / "exposure.yaml").write_text(file)
        (path / "channels.yaml").write_text(f"channels: {{sink: {{webhook: '{sink.url}', severity: informational}}}}\n")
        with listen_here() as network, stack_up(Cascan(path / "state")) as cascan:
            for command, name in (("exposure apply", "exposure.yaml"), ("messages set", "channels.yaml")):
                ran = cascan(command, str(path / name))
                if ran.code:
                    sys.exit(ran.err)
            lab = StackLab(cascan, network, sink, trial)
            lab.run_scans()
            scans = len(cascan("scans", "--json", "--limit", "1000").json)
            return lab.count() | {"scans_of_the_stack": scans, "seconds": round(time.monotonic() - began)}


if __name__ == "__main__":
    sys.exit(run_as_command(MODULE, run_lab, FAULTS))
