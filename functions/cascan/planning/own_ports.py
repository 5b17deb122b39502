"""Targets with ports of their own beside the options of a scan: what contradicts, and nmap's options of each group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from cascan.errors import RequestRefused
from cascan.limits import MAX_PARAMETER_CHARS, MAX_PORT, MAX_SHARDS_PER_SCAN
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.arguments import Arguments
from cascan.nmap.options.conflicts import COMMON_PORTS, NO_PORT_SCAN
from cascan.nmap.options.getopt import read_words
from cascan.nmap.ports.excluded_ports import leaves_no_port
from cascan.nmap.ports.port_list import PortItem, parse_ports
from cascan.nmap.ports.scanned_ports import find_scan_letters
from cascan.nmap.targets.group_by_ports import Groups, PortChoice
from cascan.nmap.targets.own_ports import LETTERS, OwnPorts, format_intervals
from cascan.nmap.targets.syntax import shorten_expression

PORT_OPTIONS = COMMON_PORTS | {"-p"}
ASKS_NO_PORTS = NO_PORT_SCAN | {"-sO"}
PROTOCOLS = {letter: protocol for protocol, letter in LETTERS.items()}
TECHNIQUES = {"T": "a TCP scan", "U": "-sU", "S": "-sY or -sZ"}
HINTS = {"T": "; a port without a protocol is a TCP port", "U": "", "S": ""}
LETTERED = "TUS"  # a list for scans of several protocols has the letter of each
SHOWN_CHARS = 40  # of a list of ports

TargetPorts = tuple[str, OwnPorts | None]  # a target as it was written, and its own ports


def find_port_conflicts(parsed: Arguments, targets: Sequence[TargetPorts]) -> Iterator[Refusal]:
    """Options that contradict ports of a target's own, and ports that no technique covers."""
    with_ports = [(expression, ports) for expression, ports in targets if ports is not None]
    if not with_ports:
        return
    names = {given.option.canonical: given for given in parsed.options}
    example = with_ports[0][0]
    for name in sorted(ASKS_NO_PORTS & names.keys()):
        conflict = f"{names[name].label} asks no ports"
        problem = f"{conflict}, and {shorten_expression(example)} has ports of its own; take one of them out"
        yield Refusal(names[name].label, Rule.OPTION, problem)
        return
    if len(with_ports) == len(targets):
        for name in sorted(PORT_OPTIONS & names.keys()):
            problem = f"{names[name].label} is for targets without ports of their own, and each target has some"
            yield Refusal(names[name].label, Rule.OPTION, f"{problem}; take it out")
    letters = find_scan_letters(names)
    for expression, ports in with_ports:
        yield from _find_uncovered(expression, ports, letters)


def _find_uncovered(expression: str, ports: OwnPorts, letters: str) -> Iterator[Refusal]:
    scanned = " and ".join(PROTOCOLS[letter].upper() for letter in letters)
    for letter, intervals in ports.by_letter.items():
        if letter not in letters:
            port_list = f"{PROTOCOLS[letter].upper()} {format_intervals(intervals)[:SHOWN_CHARS]}"
            problem = f"{port_list} needs {TECHNIQUES[letter]}, and the scan asks {scanned} ports only"
            yield _refuse(expression, f"{problem}{HINTS[letter]}")


def find_emptied_targets(options: Sequence[str], targets: Iterable[TargetPorts]) -> Iterator[Refusal]:
    """Targets of which --exclude-ports, or the care for printers, takes out every port of a protocol.

    `options` are canonical.
    """
    values = [given.value or "" for given in read_words(options).options if given.option.canonical == "--exclude-ports"]
    if not values:
        return
    for expression, ports in targets:
        for letter in (ports or OwnPorts()).by_letter:
            if leaves_no_port(str(ports), values[-1], letter):
                excluded = f"--exclude-ports {values[-1][:SHOWN_CHARS]}"
                problem = f"no {PROTOCOLS[letter].upper()} port remains without those of {excluded}"
                yield _refuse(expression, f"{problem}; take the target out")


def _refuse(expression: str, problem: str, rule: Rule = Rule.OPTION) -> Refusal:
    return Refusal(expression, rule, f"target {shorten_expression(expression)}: {problem}")


def require_few_groups(groups: Groups) -> None:
    """Raises: RequestRefused: each group is a shard at least, and there are too many of them."""
    if len(groups) > MAX_SHARDS_PER_SCAN:
        excess = f"{len(groups)} different sets of ports are more than {MAX_SHARDS_PER_SCAN}"
        raise RequestRefused([Refusal("targets", Rule.LIMIT, f"targets: {excess}; ask for several scans")])


def choose_ports(arguments: Sequence[str], choice: PortChoice, example: str) -> tuple[str, ...]:
    """The scan's canonical options with the ports of one group in place of the scan's.

    `example` is a target of the group.

    Raises: RequestRefused: the ports cannot be written as one list of nmap.
    """
    if not choice.own:
        return tuple(arguments)
    values = {given.option.canonical: given.value or "" for given in read_words(arguments).options}
    scanned = find_scan_letters(values)
    if choice.common:
        ports = _add_common_ports(values, scanned, choice.own, example)
    else:
        ports = choice.own.to_port_list(scanned)
    if len(ports) > MAX_PARAMETER_CHARS:
        excess = f"the list of its ports has more than {MAX_PARAMETER_CHARS} characters"
        raise RequestRefused([_refuse(example, f"{excess}; write ranges", Rule.LIMIT)])
    return (*_drop_port_options(arguments), "-p", ports)


def _add_common_ports(values: Mapping[str, str], scanned: str, own: OwnPorts, example: str) -> str:
    """The ports of -p and the own ports, as one list. Raises: RequestRefused: nmap chooses the common ports."""
    if "-p" not in values:
        problem = "it is asked ports of its own and, by another target, those that nmap chooses"
        fix = "write these with -p, or name the host in one target only"
        raise RequestRefused([_refuse(example, f"{problem}; {fix}")])
    items = parse_ports(values["-p"])
    if any(item.name or item.known_only for item in items):  # nmap looks these up in its list of services
        return ",".join((values["-p"].rstrip(","), own.to_port_list(LETTERED)))
    return (own | _to_own_ports(items, scanned)).to_port_list(scanned)


def _to_own_ports(items: Iterable[PortItem], letters: Collection[str]) -> OwnPorts:
    """A list of numbers, of which those without a letter are for each protocol that is scanned."""
    ports = OwnPorts()
    for item in items:
        low = 1 if item.low is None else item.low
        interval = ((low, MAX_PORT if item.high is None else item.high),)
        for letter in item.letter or letters:
            ports |= OwnPorts(**{PROTOCOLS[letter]: interval})
    return ports


def _drop_port_options(arguments: Sequence[str]) -> Iterator[str]:
    """The options without those that choose ports, and without their values."""
    dropped: set[int] = set()
    for given in read_words(arguments).options:
        if given.option.canonical in PORT_OPTIONS:
            is_separate = given.value is not None and given.value not in given.written
            dropped |= {given.position, given.position + 1} if is_separate else {given.position}
    for position, word in enumerate(arguments, start=1):
        if position not in dropped:
            yield word
