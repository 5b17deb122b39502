"""Targets with ports of their own: `10.0.0.5:22,443`, `[2001:db8::5]:53/udp`, `10.0.0.5:T:22,U:53`.

    target    =  host ":" port { "," port }
    host      =  an IPv4 target or a name; in brackets any target, as IPv6 needs it
    port      =  [ letter ":" ] N [ "-" N ] [ "/" protocol ]
    letter    =  T, U or S, as in nmap's -p; it applies until the next one
    protocol  =  tcp, udp or sctp; of one port, or of one range

A port without a protocol is a TCP port. An IPv6 address without brackets is an address as a whole:
`2001:db8::5:22` has no port.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cascan.errors import RequestRefused
from cascan.limits import MAX_PORT, MAX_TARGET_CHARS
from cascan.nmap.intervals import Interval, merge_intervals
from cascan.nmap.targets.kinds import IPV4, IPV6, Target
from cascan.nmap.targets.syntax import build_target_refusal, parse_target, shorten_expression
from cascan.patterns import compile_pattern

WITH_PORTS = r"(?s)(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]+)):(?P<ports>.*)"
HEXTET = r"[0-9A-Fa-f]{1,4}"
LETTER_PREFIX = r"(^|,)[A-Za-z]:"
PORT = r"(?:(?P<letter>[A-Za-z]):)?(?P<low>[0-9]{1,5})(?:-(?P<high>[0-9]{1,5}))?(?:/(?P<protocol>[A-Za-z]+))?"
LETTERS = {"tcp": "T", "udp": "U", "sctp": "S"}
EXAMPLES = "22, 8000-8010, 53/udp or U:53"
NO_HOST = "there is no host before the colon, as in 10.0.0.5:22"
BRACKETS = "ports of an IPv6 address follow its brackets, as in [2001:db8::5]:443"


class OwnPorts(msgspec.Struct, frozen=True):
    """Ports by protocol, as disjoint intervals in order."""

    tcp: tuple[Interval, ...] = ()
    udp: tuple[Interval, ...] = ()
    sctp: tuple[Interval, ...] = ()

    def __or__(self, other: OwnPorts) -> OwnPorts:
        return OwnPorts(
            merge_intervals((*self.tcp, *other.tcp)),
            merge_intervals((*self.udp, *other.udp)),
            merge_intervals((*self.sctp, *other.sctp)),
        )

    def __bool__(self) -> bool:
        return bool(self.tcp or self.udp or self.sctp)

    @property
    def by_letter(self) -> dict[str, tuple[Interval, ...]]:
        """The protocols that have ports, by nmap's letter."""
        protocols = {"T": self.tcp, "U": self.udp, "S": self.sctp}
        return {letter: intervals for letter, intervals in protocols.items() if intervals}

    @property
    def count(self) -> int:
        return sum(high - low + 1 for intervals in self.by_letter.values() for low, high in intervals)

    @property
    def interval_count(self) -> int:
        return len(self.tcp) + len(self.udp) + len(self.sctp)

    def __str__(self) -> str:
        """`22,443` of TCP alone, else `T:22,U:53`."""
        return self.to_port_list("T")

    def to_port_list(self, scanned: str) -> str:
        """As the value of -p, where the protocols with these letters are scanned.

        nmap asks a port without a letter by every protocol that it scans.
        """
        lists = {letter: format_intervals(intervals) for letter, intervals in self.by_letter.items()}
        if scanned == "T" and lists.keys() == {"T"}:
            return lists["T"]
        return ",".join(f"{letter}:{ports}" for letter, ports in lists.items())


def format_intervals(intervals: tuple[Interval, ...]) -> str:
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in intervals)


def parse_target_with_ports(expression: str, family: int = 4) -> tuple[Target, OwnPorts | None]:
    """The target of one expression, and its own ports. None: it has none.

    Raises: RequestRefused: with the reason, naming the expression.
    """
    if expression.startswith(":") and not expression.startswith("::"):
        raise build_target_refusal(expression, NO_HOST)
    host, ports = split_ports(expression)
    if ports is None:
        return _parse_without_ports(expression, family), None
    if len(expression) > MAX_TARGET_CHARS or "://" in expression:
        return parse_target(expression, family), None  # which refuses it
    try:
        own_ports = parse_own_ports(ports)
    except ValueError as exc:
        raise build_target_refusal(expression, str(exc)) from exc
    return parse_target(host, family), own_ports


def split_ports(expression: str) -> tuple[str, str | None]:
    """The host of an expression and the text after its colon. None: it has no ports of its own."""
    match = compile_pattern(WITH_PORTS).fullmatch(expression)
    if not match:
        return expression, None
    host, ports = match["bracketed"] or match["plain"], match["ports"]
    if (
        match["plain"]
        and compile_pattern(HEXTET).fullmatch(host)
        and ":" in compile_pattern(LETTER_PREFIX).sub(r"\1", ports)
    ):
        return expression, None  # groups of an IPv6 address
    return host, ports


def find_family(expression: str) -> int:
    """6 for an IPv6 address or network, with or without ports of its own; else 4."""
    return IPV6 if ":" in split_ports(expression)[0] else IPV4


def parse_own_ports(text: str) -> OwnPorts:
    """Raises: ValueError: with the reason, naming the port."""
    intervals: dict[str, list[Interval]] = {"T": [], "U": [], "S": []}
    for letter, interval in _read_ports(text):
        intervals[letter].append(interval)
    tcp, udp, sctp = (merge_intervals(intervals[letter]) for letter in "TUS")
    return OwnPorts(tcp, udp, sctp)


def _parse_without_ports(expression: str, family: int) -> Target:
    try:
        return parse_target(expression, family)
    except RequestRefused as refused:
        if "%" in expression and expression.rpartition("%")[2].count(":") == 1:
            raise build_target_refusal(expression, BRACKETS) from refused
        raise


def _read_ports(text: str) -> Iterator[tuple[str, Interval]]:
    """Each port or range with its letter."""
    if not text:
        raise ValueError(f"there is no port after the colon; write {EXAMPLES}")
    current = ""
    for item in text.split(","):
        match = compile_pattern(PORT).fullmatch(item)
        if not match:
            raise ValueError(f"{shorten_expression(item)} is not a port; write {EXAMPLES}")
        if match["letter"] and match["letter"] not in LETTERS.values():
            raise ValueError(f"{match['letter']}: is not a protocol of ports; T, U and S are")
        current = match["letter"] or current
        yield _choose_letter(current, match["protocol"]), _read_interval(match["low"], match["high"])


def _choose_letter(current: str, protocol: str | None) -> str:
    """The letter of a port, after a letter that applies to it and with a protocol of its own."""
    if protocol is None:
        return current or "T"
    if protocol not in LETTERS:
        raise ValueError(f"/{protocol[:8]} is not a protocol of ports; {', '.join(LETTERS)} are")
    if current:
        raise ValueError(f"{current}: and /{protocol} both name a protocol; write one of them")
    return LETTERS[protocol]


def _read_interval(low_text: str, high_text: str | None) -> Interval:
    low, high = int(low_text), int(high_text or low_text)
    if not 1 <= min(low, high) <= max(low, high) <= MAX_PORT:
        raise ValueError(f"ports are numbers from 1 to {MAX_PORT}")
    if low > high:
        raise ValueError(f"the range {low}-{high} is backwards; write {high}-{low}")
    return low, high
