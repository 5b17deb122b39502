"""How many ports of a host the options request.

It only serves to choose a lane, so an upper bound is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cascan.limits import MAX_PORT
from cascan.nmap.options.getopt import read_words
from cascan.nmap.ports.port_list import parse_ports
from cascan.patterns import compile_pattern

DEFAULT_PORTS = 1_000
FAST_PORTS = 100
PROTOCOLS = 256  # the protocols of -sO
LETTERS = {"-sU": "U", "-sY": "S", "-sZ": "S"}  # of the ports of a scan; all other scans use TCP
TCP_SCAN = r"-s[STAWMNFX]"


def count_ports(options: Sequence[str]) -> int:
    """The number of probes for one host by the canonical options, at least 1.

    An invalid list counts as every port.
    """
    values = {given.option.canonical: given.value or "" for given in read_words(options).options}
    if "-sn" in values or "-sL" in values:
        return 1
    letters = find_scan_letters(values)
    if "-p" in values:
        most = PROTOCOLS if "-sO" in values else MAX_PORT
        return max(1, _count_listed(values["-p"], letters, most))
    if "-sO" in values:
        return PROTOCOLS
    return _count_common(values) * len(letters)


def _count_common(values: Mapping[str, str]) -> int:
    """The ports that nmap chooses from its list of services, for each protocol."""
    if "--top-ports" in values:
        return max(1, _parse_count(values["--top-ports"]))
    if "--port-ratio" in values:
        return MAX_PORT
    return FAST_PORTS if "-F" in values else DEFAULT_PORTS


def find_scan_letters(names: Iterable[str]) -> str:
    """The protocols that are scanned, as letters of a port list."""
    names = tuple(names)
    letters = {LETTERS[name] for name in names if name in LETTERS}
    if not letters or any(compile_pattern(TCP_SCAN).fullmatch(name) for name in names):
        letters.add("T")
    return "".join(sorted(letters))


def _count_listed(ports: str, letters: str, most: int) -> int:
    try:
        items = parse_ports(ports)
    except ValueError:
        return most * len(letters)
    return sum(item.size(most) * _count_scans(item.letter, letters) for item in items)


def _count_scans(letter: str, letters: str) -> int:
    """How many scans probe an item with the letter. The item of an IP protocol is probed once."""
    if not letter:
        return len(letters)
    return int(letter in f"{letters}P")


def _parse_count(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else MAX_PORT
