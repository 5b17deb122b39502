"""A list of ports, as in -p, -PS and --exclude-ports → its items. What nmap would refuse at its start is refused here,
and so are a few spellings that it takes and nobody means: `80 T:`, `[0]-`, a bracket that stays open.

    list   =  part { "," part } [ "," ]
    part   =  { letter ":" } ports         of T, U, S, P; the letter holds until the next one
    ports  =  N | N- | -N | N-M | - | name      in brackets: only those that nmap's list of services has

Whether nmap knows a service's name is judged in service_names.py. Source: runs of nmap 7.93, and its own sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from cascan.limits import MAX_PORT, MAX_PROTOCOL

LETTERS = "TUSP"  # TCP, UDP, SCTP, IP protocols
LETTER = re.compile(r"([A-Za-z]):")
NUMBERS = re.compile(r"(?P<low>[0-9]{0,9})(?P<dash>-?)(?P<high>[0-9]{0,9})")
NAME = re.compile(r"[a-z][A-Za-z0-9._-]*")
TAKEN = re.compile(r"^[a-z*?]|[][]|[0-9]{10}")  # wildcards, brackets inside, many zeros: nmap takes these, or may
ILLEGAL = "Your port specifications are illegal; write ports, as in 22,80,8000-8100 or T:80,U:53, and no wildcards"


class InvalidForNmap(ValueError):
    """nmap itself would not take the value."""


class PortItem(msgspec.Struct, frozen=True):
    """A range of ports, or a service's name; for every scan where `letter` is empty."""

    letter: str
    low: int | None  # both None: an open end
    high: int | None
    name: str = ""
    known_only: bool = False  # in brackets: of the range only the ports in nmap's list of services

    def size(self, most: int) -> int:
        """How many ports; an open end counts from 1 and up to `most`."""
        return 1 if self.name else (self.high or most) - (self.low or 1) + 1


def parse_ports(text: str, letters: str = LETTERS) -> tuple[PortItem, ...]:
    """`letters` are those that may stand there. Raises: ValueError: in nmap's words where it has some.

    NotTaken, which is one: nmap refuses it as well.
    """
    return tuple(_items(text, letters))


def _items(text: str, letters: str) -> Iterator[PortItem]:
    letter, bracket = "", False
    parts = text.split(",")
    for part in parts[:-1] if len(parts) > 1 and not parts[-1].strip() else parts:
        body = part.strip()
        while (found := LETTER.match(body)) or body.startswith("["):
            if found and found[1] not in letters:
                raise InvalidForNmap(f"Unknown protocol specifier '{found[1]}'" if letters else ILLEGAL)
            if not found and bracket:
                raise InvalidForNmap("Can't nest [] brackets in port/protocol specification")
            letter, bracket = (found[1], bracket) if found else (letter, True)
            body = body[found.end() if found else 1 :].lstrip()
        listed = bracket
        if body.endswith("]"):
            if not bracket:
                raise InvalidForNmap("Unexpected ] character in port/protocol specification")
            body, bracket = body[:-1].rstrip(), False
        if not body and part.rstrip().endswith(":"):
            raise ValueError("a letter without a port")
        yield _item(letter, body, known_only=listed)
    if bracket:
        raise ValueError("a [ without its ]")


def _item(letter: str, body: str, *, known_only: bool) -> PortItem:
    if NAME.fullmatch(body):
        return PortItem(letter, None, None, body)
    numbers = NUMBERS.fullmatch(body)
    if not body or not numbers:
        raise (ValueError if TAKEN.search(body) else InvalidForNmap)(ILLEGAL)
    low = int(numbers["low"]) if numbers["low"] else None
    high = int(numbers["high"]) if numbers["high"] else (None if numbers["dash"] else low)
    most, what = (MAX_PROTOCOL, "Protocols") if letter == "P" else (MAX_PORT, "Ports")
    if max(low or 0, high or 0) > most:
        raise InvalidForNmap(f"{what} specified must be between 0 and {most} inclusive")
    least = low if low is not None else (0 if letter == "P" else 1)
    if high is not None and least > high:
        raise InvalidForNmap(f"Your port range {least}-{high} is backwards. Did you mean {high}-{least}?")
    return PortItem(letter, low, high, known_only=known_only)
