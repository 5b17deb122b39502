"""Services and bracketed ports in lists of ports, checked against nmap's own list: nmap refuses unknown ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cascan.limits import MAX_PORT, MAX_PROTOCOL
from cascan.nmap.nmap_data import Services, read_services
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.ports.port_list import PortItem, parse_ports

PINGS = {"-PA": "T", "-PB": "T", "-PO": "P", "-PS": "T", "-PU": "U", "-PY": "S"}  # whose ports these are
PORTS = ("--exclude-ports", "-p")  # of the scans that take place
NEEDS_LIST = re.compile(r"[\[*?a-z]|[A-Z](?!:)")  # a bracket, or a letter that does not name a protocol
SHOWN = 60  # characters of a list


class _PortList(NamedTuple):
    given: GivenOption
    items: tuple[PortItem, ...]
    letters: str  # the protocols of items without a letter

    @property
    def written(self) -> str:
        value = self.given.value
        return f"{self.given.label} {value}" if value and value not in self.given.written else self.given.label


def find_unknown_services(options: Sequence[GivenOption], letters: str) -> Iterator[tuple[str, str]]:
    """The option to refuse and one sentence. `letters`: of T, U, S and P those that are scanned.

    Nothing where nmap's list is not available: see `note_unchecked_services`.
    """
    port_lists = [port_list for port_list in _find_lists(options, letters) if port_list.letters]
    services = read_services() if port_lists else None
    if services is None:
        return
    for port_list in port_lists:
        if problem := _find_problem(port_list, services):
            yield port_list.given.option.canonical, f"{port_list.written[:SHOWN]}: {problem}"


def _find_problem(port_list: _PortList, services: Services) -> str:
    """Why nmap would not accept a list. Empty: it would."""
    letters = port_list.letters
    names = [item for item in port_list.items if item.name]
    unknown = [item.name for item in names if not services.knows(item.name, item.letter or letters)]
    if unknown:
        return f"nmap knows no service {unknown[0]!r} for {_list_protocols(letters)}; write its port"
    if not any(_has_port(item, letters, services) for item in port_list.items):
        return "no port in brackets is in nmap's list of services"
    return ""


def note_unchecked_services(options: Sequence[GivenOption]) -> str:
    """A note where names cannot be looked up, because nmap's list is not available. Empty: all are checked."""
    labels = [port_list.given.label for port_list in _find_lists(options, "")]
    if not labels or read_services() is not None:
        return ""
    return f"{', '.join(labels)}: names of services are not checked here; nmap refuses those it does not know"


def _find_lists(options: Sequence[GivenOption], letters: str) -> Iterator[_PortList]:
    """The lists of ports with a name or a bracket."""
    for given in options:
        name = given.option.canonical
        if (name not in PINGS and name not in PORTS) or not NEEDS_LIST.search(given.value or ""):
            continue
        try:
            items = parse_ports(given.value or "")
        except ValueError:  # refused by the check of its value
            continue
        if any(item.name or item.known_only for item in items):
            yield _PortList(given, items, PINGS.get(name, letters))


def _has_port(item: PortItem, scanned: str, services: Services) -> bool:
    if item.name or not item.known_only:
        return True
    letters = item.letter or scanned
    low = item.low if item.low is not None else int("P" not in letters)
    high = item.high if item.high is not None else (MAX_PROTOCOL if letters == "P" else MAX_PORT)
    return services.has_port(low, high, letters)


def _list_protocols(letters: str) -> str:
    names = {"T": "TCP", "U": "UDP", "S": "SCTP", "P": "IP"}
    return " or ".join(names[letter] for letter in letters) or "these scans"
