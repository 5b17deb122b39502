"""How many ports of a host the options ask for: only to choose a lane, so an upper bound is good enough."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cascan.nmap.getopt import read_words

ALL_PORTS = 65_535
DEFAULT_PORTS = 1_000
FAST_PORTS = 100
PROTOCOLS = 256  # what -sO asks for
RANGE = re.compile(r"(?P<low>[0-9]{0,5})(?P<dash>-?)(?P<high>[0-9]{0,5})")
KINDS = {"-sU": "U", "-sY": "S", "-sZ": "S"}  # any other scan is one of TCP


def count_ports(options: Sequence[str]) -> int:
    """Probes for one host by the canonical options, at least 1. What cannot be read counts as every port."""
    given = {option.option.canonical: option.value or "" for option in read_words(options).options}
    if "-sn" in given or "-sL" in given:
        return 1
    kinds = _kinds(given)
    if "-p" in given:
        return max(1, _listed(given["-p"], kinds, PROTOCOLS if "-sO" in given else ALL_PORTS))
    if "-sO" in given:
        return PROTOCOLS
    if "--top-ports" in given:
        return max(1, _number(given["--top-ports"])) * len(kinds)
    if "--port-ratio" in given:
        return ALL_PORTS * len(kinds)
    return (FAST_PORTS if "-F" in given else DEFAULT_PORTS) * len(kinds)


def _kinds(given: dict[str, str]) -> str:
    """The protocols scanned, as letters of a port list."""
    kinds = {KINDS[name] for name in given if name in KINDS}
    if not kinds or any(re.fullmatch(r"-s[STAWMNFX]", name) for name in given):
        kinds.add("T")
    return "".join(sorted(kinds))


def _listed(ports: str, kinds: str, most: int) -> int:
    total, letters = 0, kinds
    for item in re.sub(r"[\[\] ]", "", ports).split(","):
        prefix = re.match(r"([TUSP]):", item)
        if prefix:
            letters = prefix[1]
        counted = sum(letter in kinds or letter == "P" for letter in letters)
        total += _size(item[2:] if prefix else item, most) * counted
    return total


def _size(item: str, most: int) -> int:
    match = RANGE.fullmatch(item)
    if not match:
        return 1 if re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", item) else most
    if not match["dash"]:
        return 1
    low, high = int(match["low"] or 1), int(match["high"] or most)
    return high - low + 1 if low <= high else most


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else ALL_PORTS
