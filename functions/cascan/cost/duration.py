"""How long nmap needs: from the options, the number of addresses, and an assumption about how many hosts are up.

The high end is an estimate from above: PROBE_SECONDS and SCAN_SECONDS are what slow networks need. Both ends grow in
proportion to the addresses, so the sum over the shards of a scan is the estimate of all its addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cascan.cost.ranges import Range, exactly
from cascan.limits import PROBE_SECONDS, SCAN_SECONDS
from cascan.nmap.options.host_timeout import find_host_timeout_ms
from cascan.nmap.options.values import parse_number
from cascan.nmap.ports.scanned_ports import count_ports
from cascan.planning.lane import PROBING, PROBING_COST

FAST_PROBE_SECONDS = 0.001  # of one port of one host where the network is fast and hosts answer
FAST_HOST_SECONDS = 0.02  # of one address beside its ports: most addresses are asked side by side
PROBED_PORT_SECONDS = 5.0  # of version detection or scripts at one open port
UDP_PROBE_SECONDS = 0.1  # a Linux host says about once a second that a UDP port is closed; hosts are asked side by side
TRIES = Range(1, 2)  # packets to a port: nmap asks once more where there is no answer
# A template of nmap that waits between two probes → seconds, one probe at a time.
TEMPLATE_DELAYS = {"-T0": 300.0, "-T1": 15.0, "-T2": 0.4}
HOSTS_AT_ONCE = 64  # at best, where nmap waits between two probes to one host
OPEN_PORTS = Range(1, 10)  # of a host that is up; fewer if fewer are scanned


def estimate_seconds(arguments: Sequence[str], addresses: int, live: Range) -> Range:
    """Seconds that nmap runs for so many addresses, one after another.

    `arguments` are canonical, of one shard: rates are its share. `live` is the share of the addresses that are up.
    """
    ports = count_ports(arguments)
    scanned = choose_scanned_share(arguments, live)
    probe_s = _estimate_probe_seconds(arguments)
    is_probing = not PROBING.isdisjoint(arguments)
    probed_s = min(OPEN_PORTS.low, ports) * PROBED_PORT_SECONDS if is_probing else 0.0
    low = FAST_HOST_SECONDS + scanned.low * ports * probe_s.low + live.low * probed_s
    factor = PROBING_COST if is_probing else 1
    high = SCAN_SECONDS + scanned.high * ports * probe_s.high * factor
    limit_s = find_host_timeout_ms(arguments) / 1_000
    if limit_s:
        low, high = min(low, limit_s), min(high, SCAN_SECONDS + limit_s)
    return Range(low * addresses, max(low, high) * addresses)


def choose_scanned_share(arguments: Sequence[str], live: Range) -> Range:
    """The share of the addresses whose ports are scanned: those that are up, or all of them with -Pn."""
    return exactly(1.0) if "-Pn" in arguments else live


def find_rate(arguments: Sequence[str], option: str) -> float:
    """The packets a second of --min-rate or --max-rate; 0: there is no such option."""
    values = [value for name, value in pairwise(arguments) if name == option]
    return float(values[-1]) if values else 0.0


def _estimate_probe_seconds(arguments: Sequence[str]) -> Range:
    """Seconds for one port of one host."""
    low, high = FAST_PROBE_SECONDS, UDP_PROBE_SECONDS if "-sU" in arguments else PROBE_SECONDS
    if min_rate := find_rate(arguments, "--min-rate"):
        low, high = min(low, TRIES.low / min_rate), min(high, TRIES.high / min_rate)
    for name, delay_s in TEMPLATE_DELAYS.items():
        if name in arguments:
            low, high = max(low, delay_s), max(high, delay_s * TRIES.high)
    delays = [value for name, value in pairwise(arguments) if name == "--scan-delay"]
    if delays:
        delay_s = parse_number(delays[-1], is_time=True) / 1_000
        low, high = max(low, delay_s / HOSTS_AT_ONCE), max(high, delay_s * TRIES.high)
    if max_rate := find_rate(arguments, "--max-rate"):
        low, high = max(low, TRIES.low / max_rate), max(high, TRIES.high / max_rate)
    return Range(low, high)
