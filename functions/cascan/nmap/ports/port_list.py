"""A list of ports, as in -p, -PS and --exclude-ports → its items.

    list   =  part { "," part } [ "," ]
    part   =  { letter ":" } ports         of T, U, S, P; the letter applies until the next one
    ports  =  N | N- | -N | N-M | - | name      in brackets: only those in nmap's list of services

A list that nmap would refuse is refused here. So are a few that it accepts, but that are surely
mistakes: `80 T:`, `[0]-`, a bracket that is not closed. service_names.py checks whether nmap knows
the name of a service.

Source: runs of nmap 7.93, and its own messages.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cascan.limits import MAX_PORT, MAX_PROTOCOL
from cascan.patterns import compile_pattern

LETTERS = "TUSP"  # TCP, UDP, SCTP, IP protocols
LETTER = r"([A-Za-z]):"
NUMBERS = r"(?P<low>[0-9]{0,9})(?P<dash>-?)(?P<high>[0-9]{0,9})"
NAME = r"[a-z][A-Za-z0-9._-]*"
MAY_SUIT_NMAP = r"^[a-z*?]|[][]|[0-9]{10}"  # wildcards, brackets, leading zeros
EXAMPLES = "22,80,8000-8100 or T:80,U:53"
ILLEGAL = f"Your port specifications are illegal; write ports, as in {EXAMPLES}, and no wildcards"


class InvalidForNmap(ValueError):
    """nmap itself would refuse the value."""


class PortItem(msgspec.Struct, frozen=True):
    """A range of ports, or the name of a service."""

    letter: str  # of the scans it is for; empty: for all
    low: int | None  # None: an open end, like `high`
    high: int | None
    name: str = ""
    known_only: bool = False  # in brackets: only ports in nmap's list of services

    def size(self, most: int) -> int:
        """The number of ports. A range that is open counts from 1, or up to `most`."""
        if self.name:
            return 1
        return (self.high or most) - (self.low or 1) + 1


def parse_ports(text: str, letters: str = LETTERS) -> tuple[PortItem, ...]:
    """The items of a list. `letters` are the protocol letters that it may have.

    Raises:
        InvalidForNmap: nmap refuses the list too; with nmap's own message.
        ValueError: only cascan refuses the list.
    """
    return tuple(_Reader(letters).read(text))


class _Reader:
    """Keeps the letter and the bracket from one item to the next."""

    def __init__(self, letters: str) -> None:
        self.letters = letters
        self.letter = ""
        self.in_bracket = False

    def read(self, text: str) -> Iterator[PortItem]:
        entries = text.split(",")
        if len(entries) > 1 and not entries[-1].strip():
            entries.pop()  # nmap accepts one comma at the end
        for entry in entries:
            body = self._read_prefixes(entry.strip())
            known_only = self.in_bracket
            if body.endswith("]"):
                if not self.in_bracket:
                    raise InvalidForNmap("Unexpected ] character in port/protocol specification")
                body, self.in_bracket = body[:-1].rstrip(), False
            if not body and entry.rstrip().endswith(":"):
                raise ValueError("a letter without a port")
            yield _parse_item(self.letter, body, known_only=known_only)
        if self.in_bracket:
            raise ValueError("a [ without its ]")

    def _read_prefixes(self, body: str) -> str:
        """Take letters and an opening bracket off an entry, and return the remaining text."""
        while (match := compile_pattern(LETTER).match(body)) or body.startswith("["):
            if match:
                letter = match[1]
                if letter not in self.letters:
                    unknown = f"Unknown protocol specifier '{letter}'"
                    raise InvalidForNmap(unknown if self.letters else ILLEGAL)
                self.letter = letter
            elif self.in_bracket:
                raise InvalidForNmap("Can't nest [] brackets in port/protocol specification")
            else:
                self.in_bracket = True
            body = body[match.end() if match else 1 :].lstrip()
        return body


def _parse_item(letter: str, body: str, *, known_only: bool) -> PortItem:
    if compile_pattern(NAME).fullmatch(body):
        return PortItem(letter, None, None, body)
    numbers = compile_pattern(NUMBERS).fullmatch(body)
    if not body or not numbers:
        raise (ValueError if compile_pattern(MAY_SUIT_NMAP).search(body) else InvalidForNmap)(ILLEGAL)
    low = int(numbers["low"]) if numbers["low"] else None
    end = None if numbers["dash"] else low
    high = int(numbers["high"]) if numbers["high"] else end
    _check_range(letter, low, high)
    return PortItem(letter, low, high, known_only=known_only)


def _check_range(letter: str, low: int | None, high: int | None) -> None:
    """Raises: InvalidForNmap: a number is too large, or the range is backwards."""
    is_protocol = letter == "P"
    most, subject = (MAX_PROTOCOL, "Protocols") if is_protocol else (MAX_PORT, "Ports")
    if max(low or 0, high or 0) > most:
        raise InvalidForNmap(f"{subject} specified must be between 0 and {most} inclusive")
    least = low if low is not None else int(not is_protocol)
    if high is not None and least > high:
        question = f"Did you mean {high}-{least}?"
        raise InvalidForNmap(f"Your port range {least}-{high} is backwards. {question}")
