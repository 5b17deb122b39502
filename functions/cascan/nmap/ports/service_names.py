"""Services and bracketed ports in lists of ports, checked against nmap's list of services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cascan.limits import MAX_PORT, MAX_PROTOCOL
from cascan.nmap.nmap_data import Services, read_services
from cascan.nmap.options.getopt import GivenOption
from cascan.nmap.ports.port_list import PortItem, parse_ports
from cascan.patterns import compile_pattern

PINGS = {"-PA": "T", "-PB": "T", "-PO": "P", "-PS": "T", "-PU": "U", "-PY": "S"}  # their letters
PORTS = ("--exclude-ports", "-p")  # ports of all scans
NEEDS_LIST = r"[\[*?a-z]|[A-Z](?!:)"  # a bracket, or a letter of a name
SHOWN = 60  # characters of a list


class _PortList(NamedTuple):
    given: GivenOption
    items: tuple[PortItem, ...]
    letters: str  # the protocols of items without a letter

    @property
    def written(self) -> str:
        label, value = self.given.label, self.given.value
        is_attached = not value or value in self.given.written
        return label if is_attached else f"{label} {value}"


def find_unknown_services(options: Sequence[GivenOption], letters: str) -> Iterator[tuple[str, str]]:
    """The option to refuse and one sentence, for each list that nmap would not accept.

    `letters` are those of the protocols that are scanned: T, U, S, P. Nothing is refused if nmap's
    list is not available: see `note_unchecked_services`.
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
    for item in port_list.items:
        if item.name and not services.knows(item.name, item.letter or letters):
            protocols = _list_protocols(letters)
            return f"nmap knows no service {item.name!r} for {protocols}; write its port"
    if not any(_has_port(item, letters, services) for item in port_list.items):
        return "no port in brackets is in nmap's list of services"
    return ""


def note_unchecked_services(options: Sequence[GivenOption]) -> str:
    """A note on names that were not checked, because nmap's list is not available.

    Empty: all were checked.
    """
    labels = [port_list.given.label for port_list in _find_lists(options, "")]
    if not labels or read_services() is not None:
        return ""
    effect = "names of services are not checked here; nmap refuses those it does not know"
    return f"{', '.join(labels)}: {effect}"


def _find_lists(options: Sequence[GivenOption], letters: str) -> Iterator[_PortList]:
    """The lists of ports with a name or a bracket."""
    for given in options:
        name, value = given.option.canonical, given.value or ""
        has_ports = name in PINGS or name in PORTS
        if has_ports and compile_pattern(NEEDS_LIST).search(value):
            items = _parse_items(value)
            if any(item.name or item.known_only for item in items):
                yield _PortList(given, items, PINGS.get(name, letters))


def _parse_items(value: str) -> tuple[PortItem, ...]:
    try:
        return parse_ports(value)
    except ValueError:  # refused by the check of its value
        return ()


def _has_port(item: PortItem, scanned: str, services: Services) -> bool:
    """Whether a port of the item is in nmap's list.

    True for an item that does not depend on the list.
    """
    if item.name or not item.known_only:
        return True
    letters = item.letter or scanned
    low = item.low if item.low is not None else int("P" not in letters)
    most = MAX_PROTOCOL if letters == "P" else MAX_PORT
    high = item.high if item.high is not None else most
    return services.has_port(low, high, letters)


def _list_protocols(letters: str) -> str:
    names = {"T": "TCP", "U": "UDP", "S": "SCTP", "P": "IP"}
    return " or ".join(names[letter] for letter in letters) or "these scans"
