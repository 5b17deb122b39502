"""nmap's lists of names: services, IP protocols, vendors of network cards. They are read on first use.

They are files of the nmap that is installed; the repository holds none of them. A function on AWS has them from a layer
that is made when the stack is built. Without nmap there are no lists, and names are not checked.
"""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from cascan.patterns import compile_pattern

FOLDERS = ("/opt/share/nmap", "/usr/share/nmap", "/usr/local/share/nmap")  # the layer's, then the usual ones
SERVICES, PROTOCOLS, VENDORS = "nmap-services", "nmap-protocols", "nmap-mac-prefixes"
SERVICE = r"(?P<name>\S+)\s+(?P<port>[0-9]+)/(?P<protocol>tcp|udp|sctp)\b"
PROTOCOL = r"(?P<name>\S+)\s+(?P<number>[0-9]+)\b"
LETTERS = {"tcp": "T", "udp": "U", "sctp": "S"}  # as in a port list


class Services(msgspec.Struct, frozen=True):
    """nmap's services and IP protocols, by the letter of a port list: T, U, S, P."""

    letters: dict[str, frozenset[str]]  # a name in lower case → the letters that it is listed for
    ports: dict[str, tuple[int, ...]]  # a letter → numbers, in order

    def knows(self, name: str, letters: str) -> bool:
        """Whether one of the letters has a service of the name, in any case."""
        return bool(self.letters.get(name.lower(), frozenset()) & set(letters))

    def has_port(self, low: int, high: int, letters: str) -> bool:
        """Whether a number from `low` to `high` is listed for one of the letters."""
        return any(self._has(self.ports.get(letter, ()), low, high) for letter in letters)

    @staticmethod
    def _has(numbers: tuple[int, ...], low: int, high: int) -> bool:
        index = bisect_left(numbers, low)
        return index < len(numbers) and numbers[index] <= high


@cache
def read_services() -> Services | None:
    """None: nmap is not installed."""
    folder = find_data_folder()
    if folder is None:
        return None
    names: defaultdict[str, set[str]] = defaultdict(set)
    ports: defaultdict[str, set[int]] = defaultdict(set)
    for letter, name, number in _numbered_names(folder):
        names[name.lower()].add(letter)
        ports[letter].add(number)
    return Services(
        {name: frozenset(letters) for name, letters in names.items()},
        {letter: tuple(sorted(numbers)) for letter, numbers in ports.items()},
    )


@cache
def read_vendors() -> str | None:
    """The names of vendors, a line each, in lower case. None: nmap is not installed."""
    folder = find_data_folder()
    if folder is None or not (folder / VENDORS).is_file():
        return None
    lines = (line.partition(" ")[2] for line in _lines(folder / VENDORS))
    return "\n".join(dict.fromkeys(line.lower() for line in lines))


@cache
def find_data_folder() -> Path | None:
    """The folder of nmap's data: beside the nmap on PATH, else one of FOLDERS."""
    nmap = shutil.which("nmap")
    beside = [Path(nmap).resolve().parents[1] / "share" / "nmap"] if nmap else []
    folders = [*beside, *map(Path, FOLDERS)]
    return next((folder for folder in folders if (folder / SERVICES).is_file()), None)


def _numbered_names(folder: Path) -> Iterator[tuple[str, str, int]]:
    for line in _lines(folder / SERVICES):
        if service := compile_pattern(SERVICE).match(line):
            yield LETTERS[service["protocol"]], service["name"], int(service["port"])
    if not (folder / PROTOCOLS).is_file():
        return
    for line in _lines(folder / PROTOCOLS):
        if protocol := compile_pattern(PROTOCOL).match(line):
            yield "P", protocol["name"], int(protocol["number"])


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("#"):
                yield line.rstrip("\n")
