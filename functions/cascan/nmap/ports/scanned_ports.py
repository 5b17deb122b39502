"""How many ports of a host the options ask for: only to choose a lane, so an upper bound is good enough."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cascan.limits import MAX_PORT
from cascan.nmap.options.getopt import read_words
from cascan.nmap.ports.port_list import parse_ports

DEFAULT_PORTS = 1_000
FAST_PORTS = 100
PROTOCOLS = 256  # what -sO asks for
KINDS = {"-sU": "U", "-sY": "S", "-sZ": "S"}  # any other scan is one of TCP


def count_ports(options: Sequence[str]) -> int:
    """Probes for one host by the canonical options, at least 1. What cannot be read counts as every port."""
    given = {option.option.canonical: option.value or "" for option in read_words(options).options}
    if "-sn" in given or "-sL" in given:
        return 1
    kinds = _kinds(given)
    if "-p" in given:
        return max(1, _listed(given["-p"], kinds, PROTOCOLS if "-sO" in given else MAX_PORT))
    if "-sO" in given:
        return PROTOCOLS
    if "--top-ports" in given:
        return max(1, _number(given["--top-ports"])) * len(kinds)
    if "--port-ratio" in given:
        return MAX_PORT * len(kinds)
    return (FAST_PORTS if "-F" in given else DEFAULT_PORTS) * len(kinds)


def _kinds(given: dict[str, str]) -> str:
    """The protocols scanned, as letters of a port list."""
    kinds = {KINDS[name] for name in given if name in KINDS}
    if not kinds or any(re.fullmatch(r"-s[STAWMNFX]", name) for name in given):
        kinds.add("T")
    return "".join(sorted(kinds))


def _listed(ports: str, kinds: str, most: int) -> int:
    try:
        items = parse_ports(ports)
    except ValueError:
        return most * len(kinds)
    return sum(item.size(most) * _scans(item.letter, kinds) for item in items)


def _scans(letter: str, kinds: str) -> int:
    """How many of the scans look at what stands behind the letter; an IP protocol is asked once."""
    return len(kinds) if not letter else letter in f"{kinds}P"


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else MAX_PORT
