"""Services and bracketed ports in lists of ports, against nmap's own list: nmap takes none that it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cascan.limits import MAX_PORT, MAX_PROTOCOL
from cascan.nmap.nmap_data import Services, read_services
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.ports.port_list import PortItem, parse_ports

PINGS = {"-PA": "T", "-PB": "T", "-PO": "P", "-PS": "T", "-PU": "U", "-PY": "S"}  # whose ports these are
PORTS = ("--exclude-ports", "-p")  # of the scans that take place
NEEDS_LIST = re.compile(r"[\[*?a-z]|[A-Z](?!:)")  # a bracket, or a letter that is no protocol's: numbers need no list
SHOWN = 60  # characters of a list


def find_unknown_services(options: Sequence[GivenOption], letters: str) -> Iterator[tuple[str, str]]:
    """The option to blame and one sentence; `letters`: of T, U, S and P those that are scanned.

    Nothing where nmap's list is not at hand: see `note_unchecked_services`.
    """
    lists = [one for one in _lists(options, letters) if _needs_list(one[1]) and one[2]]
    services = read_services() if lists else None
    if services is None:
        return
    for given, items, scanned in lists:
        unknown = [item.name for item in items if item.name and not services.knows(item.name, item.letter or scanned)]
        written = f"{given.label} {given.value}" if given.value and given.value not in given.written else given.label
        if unknown:
            sentence = (
                f"{written[:SHOWN]}: nmap knows no service {unknown[0]!r} for {_protocols(scanned)}; write its port"
            )
            yield given.option.canonical, sentence
        elif not any(_has_port(item, scanned, services) for item in items):
            yield given.option.canonical, f"{written[:SHOWN]}: no port in brackets is in nmap's list of services"


def note_unchecked_services(options: Sequence[GivenOption]) -> str:
    """A note where there are names, and no list to look them up in; else empty."""
    named = [given.label for given, items, _ in _lists(options, "") if _needs_list(items)]
    if not named or read_services() is not None:
        return ""
    return f"{', '.join(named)}: names of services are not checked here; nmap refuses those it does not know"


def _needs_list(items: Sequence[PortItem]) -> bool:
    return any(item.name or item.known_only for item in items)


def _lists(options: Sequence[GivenOption], letters: str) -> Iterator[tuple[GivenOption, tuple[PortItem, ...], str]]:
    """The lists of ports that may hold a name or a bracket, with the letters that count for items without one."""
    for given in options:
        name = given.option.canonical
        if (name not in PINGS and name not in PORTS) or not NEEDS_LIST.search(given.value or ""):
            continue
        try:
            items = parse_ports(given.value or "")
        except ValueError:  # told by itself
            continue
        yield given, items, PINGS.get(name, letters)


def _has_port(item: PortItem, scanned: str, services: Services) -> bool:
    if item.name or not item.known_only:
        return True
    letters = item.letter or scanned
    low = item.low if item.low is not None else int("P" not in letters)
    high = item.high if item.high is not None else (MAX_PROTOCOL if letters == "P" else MAX_PORT)
    return services.has_port(low, high, letters)


def _protocols(letters: str) -> str:
    names = {"T": "TCP", "U": "UDP", "S": "SCTP", "P": "IP"}
    return " or ".join(names[letter] for letter in letters) or "these scans"
