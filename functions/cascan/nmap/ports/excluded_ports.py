"""What --exclude-ports leaves: a scan or a ping without a port, which nmap skips with a warning, hosts and all.

Of the protocols that are scanned it takes ports from pings as well. Who connects looks for hosts at 80 and 443 alone:
without these two each host seems down. Source: runs of nmap 7.93, and the packets it sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from cascan.limits import MAX_PORT
from cascan.nmap.ports.port_list import parse_ports
from cascan.nmap.ports.port_set import PortSet

PINGS = {"-PA": ("T", "80"), "-PS": ("T", "80"), "-PU": ("U", "40125"), "-PY": ("S", "80")}  # letter, nmap's default
BY_DEFAULT = "80,443"  # of who connects
INSTEAD = "take fewer out, or add -Pn"


def find_portless_scans(
    given: Mapping[str, str], scans: Mapping[str, Set[str]], *, raw: bool
) -> Iterator[tuple[str, str]]:
    """The option to blame and one sentence, for each scan and each ping without a port.

    `given`: canonical options with their values; `scans`: those that take place, by the letter of their ports.
    """
    if "--exclude-ports" not in given:
        return
    for letter, kinds in scans.items():
        if kinds and leaves_no_port(given.get("-p", "-"), given["--exclude-ports"], letter):
            which = "the TCP scan" if letter == "T" else " and ".join(sorted(kinds))
            yield "--exclude-ports", f"--exclude-ports leaves {which} no port; nmap would skip it"
    if "-Pn" in given:
        return
    for name, (letter, default) in PINGS.items():
        if (
            name in given
            and scans.get(letter)
            and leaves_no_port(given[name] or default, given["--exclude-ports"], letter)
        ):
            yield name, f"{name}: --exclude-ports leaves it no port, so nmap would look for hosts without it; {INSTEAD}"
    if not raw and not PINGS.keys() & given.keys() and leaves_no_port(BY_DEFAULT, given["--exclude-ports"], "T"):
        why = f"hosts are looked for at ports {BY_DEFAULT}, which it takes out, so each would seem down"
        yield "--exclude-ports", f"--exclude-ports: {why}; {INSTEAD}"


def leaves_no_port(ports: str, excluded: str, letter: str) -> bool:
    """Whether all of the ports of a letter are excluded. Names may be any port, so they are never all."""
    asked, out = _numbers(ports, letter), _numbers(excluded, letter)
    return bool(asked) and asked is not None and out is not None and asked <= out


def _numbers(ports: str, letter: str) -> PortSet | None:
    """The ports for the scans of one letter. None: one is a name; or the list cannot be read, and that is told."""
    try:
        items = [item for item in parse_ports(ports) if item.letter in ("", letter)]
    except ValueError:
        return None
    if any(item.name for item in items):
        return None
    return PortSet(
        (1 if item.low is None else item.low, MAX_PORT if item.high is None else item.high) for item in items
    )
