"""What nmap's connect scan sees of a host when packets are lost: a model of its retransmissions.

A port whose probe or answer is lost is probed again. How often depends on the host: once at least,
and once more than the most retransmissions that an answer has needed so far, up to --max-retries
(10 unless it is set). Ports without an answer are `filtered`. A host is up if a probe for it at
port 80 or 443 is answered; these are repeated by the same rule.

Source: nmap's scan_engine.cc, HostScanStats::allowedTryno; nmap 7.93, -sT without privileges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

MAX_RETRIES = 10
PING_PORTS = (80, 443)
KERNEL_TRIES = 3  # SYN packets of version detection, whose connection the kernel retransmits
CONFIRMATION_PACKETS = 3  # that the kernel sends for each try of a scan with --min-rtt-timeout 3s
SILENT = "filtered"


@dataclass(frozen=True)
class Wire:
    """A network that loses each packet with the same probability."""

    random: Random
    loss: float  # of a packet, each way

    def delivers(self) -> bool:
        """Whether a probe arrives, and its answer too."""
        return self.random.random() >= self.loss and self.random.random() >= self.loss


@dataclass(frozen=True)
class ScannedPort:
    state: str
    service: str = ""  # if version detection reached the port


def probe_ports(numbers: Iterable[int], answering: Iterable[int], wire: Wire, *, packets: int = 1) -> set[int]:
    """The ports whose answer came, of those that would answer. `packets`: of each try."""
    would_answer = set(answering)
    waiting = set(numbers)
    answered: set[int] = set()
    most_needed = attempt = 0
    while waiting and attempt <= min(MAX_RETRIES, max(1, most_needed + 1)):
        heard = {number for number in sorted(waiting) if number in would_answer and _hears(wire, packets)}
        if heard:
            most_needed = attempt
        answered |= heard
        waiting -= heard
        attempt += 1
    return answered


def _hears(wire: Wire, packets: int) -> bool:
    return any(wire.delivers() for _ in range(packets))


def scan_host(
    services: Mapping[int, str], scanned: Iterable[int], wire: Wire, *, rejects: bool = True, skip_ping: bool = False
) -> dict[int, ScannedPort] | None:
    """What a scan with -sV sees of a host that is up. None: it seemed down.

    `services`: its open ports. `rejects`: it answers for closed ports; else a firewall drops them.
    `skip_ping`: the confirming scan, with -Pn.
    """
    numbers = sorted(scanned)
    closed = set(numbers) - services.keys() if rejects else set()
    pinged = [number for number in PING_PORTS if rejects or number in services]
    if not skip_ping and not probe_ports(PING_PORTS, pinged, wire):
        return None
    packets = CONFIRMATION_PACKETS if skip_ping else 1
    answered = probe_ports(numbers, services.keys() | closed, wire, packets=packets)
    seen = {}
    for number in numbers:
        if number not in answered:
            seen[number] = ScannedPort(SILENT)
        elif number in services:
            is_probed = any(wire.delivers() for _ in range(KERNEL_TRIES))
            seen[number] = ScannedPort("open", services[number] if is_probed else "")
        else:
            seen[number] = ScannedPort("closed")
    return seen
