"""Scans and pings that --exclude-ports leaves without a port. nmap only warns, and skips them.

nmap also removes the excluded ports from pings of a protocol that is scanned. Without raw sockets
it looks for hosts at ports 80 and 443 only. If both are excluded, every host seems down.

Source: runs of nmap 7.93, and the packets it sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from cascan.limits import MAX_PORT
from cascan.nmap.ports.port_list import parse_ports
from cascan.nmap.ports.port_set import PortSet

PINGS = {  # the letter of the ports, nmap's default port
    "-PA": ("T", "80"),
    "-PS": ("T", "80"),
    "-PU": ("U", "40125"),
    "-PY": ("S", "80"),
}
BY_DEFAULT = "80,443"  # pinged without raw sockets
INSTEAD = "take fewer out, or add -Pn"


def find_portless_scans(
    values: Mapping[str, str], scans: Mapping[str, Set[str]], *, raw: bool
) -> Iterator[tuple[str, str]]:
    """The option to refuse and one sentence, for each scan and each ping without a port.

    `values` are the canonical options with their values. `scans` are those that take place, by the
    letter of their ports.
    """
    if "--exclude-ports" not in values:
        return
    excluded = values["--exclude-ports"]
    for letter, kinds in scans.items():
        if kinds and leaves_no_port(values.get("-p", "-"), excluded, letter):
            scan = "the TCP scan" if letter == "T" else " and ".join(sorted(kinds))
            yield "--exclude-ports", f"--exclude-ports leaves {scan} no port; nmap would skip it"
    if "-Pn" not in values:
        yield from _find_portless_pings(values, scans, raw=raw)


def _find_portless_pings(
    values: Mapping[str, str], scans: Mapping[str, Set[str]], *, raw: bool
) -> Iterator[tuple[str, str]]:
    excluded = values["--exclude-ports"]
    for name, (letter, default) in PINGS.items():
        is_affected = name in values and scans.get(letter)
        if is_affected and leaves_no_port(values[name] or default, excluded, letter):
            effect = "--exclude-ports leaves it no port, so nmap would look for hosts without it"
            yield name, f"{name}: {effect}; {INSTEAD}"
    uses_default_pings = not raw and not PINGS.keys() & values.keys()
    if uses_default_pings and leaves_no_port(BY_DEFAULT, excluded, "T"):
        pings = f"hosts are looked for at ports {BY_DEFAULT}, which it takes out"
        yield "--exclude-ports", f"--exclude-ports: {pings}, so each would seem down; {INSTEAD}"


def leaves_no_port(ports: str, excluded: str, letter: str) -> bool:
    """Whether all ports of a letter are excluded.

    False for a list with names: a name may be any port.
    """
    requested = _parse_numbers(ports, letter)
    removed = _parse_numbers(excluded, letter)
    if not requested or removed is None:
        return False
    return requested <= removed


def _parse_numbers(ports: str, letter: str) -> PortSet | None:
    """The ports for the scans of one letter.

    None: a port is a name, or the list is invalid (refused elsewhere).
    """
    try:
        items = [item for item in parse_ports(ports) if item.letter in ("", letter)]
    except ValueError:
        return None
    if any(item.name for item in items):
        return None
    lows = (1 if item.low is None else item.low for item in items)
    highs = (MAX_PORT if item.high is None else item.high for item in items)
    return PortSet(zip(lows, highs, strict=True))
