"""The value of --ip-options.

It is R, T or U; a loose or strict source route, `L` or `S` with addresses; or bytes, `\\x…`.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from cascan.patterns import compile_pattern

MAX_HOPS = 8  # nmap adds the target as the ninth
MAX_CHARS = 160  # 40 bytes as `\\x…`
LETTER_OR_BYTES = r"[RTU]|((\\x[0-9A-Fa-f]{2}){4}){1,10}"
ROUTE = r"[SL]( [0-9.]{7,15})+"
SOURCE_ROUTES = (r"\x83", r"\x89")  # option types whose addresses, as bytes, cannot be checked
HINT = "R, T, U, L or S with up to 8 addresses, or four \\x and so on"
HIDDEN = "a source route in bytes; write it as L or S with its addresses, which are checked"


def check_ip_options(value: str) -> str:
    """The value, unchanged. Raises: ValueError: says what to write."""
    if len(value) > MAX_CHARS:
        raise ValueError(HINT)
    if compile_pattern(ROUTE).fullmatch(value):
        hops = parse_source_route(value)
        if not 1 <= len(hops) <= MAX_HOPS:
            raise ValueError(HINT)
        return value
    if not compile_pattern(LETTER_OR_BYTES).fullmatch(value):
        raise ValueError(HINT)
    if any(kind in value.lower() for kind in SOURCE_ROUTES):
        raise ValueError(HIDDEN)
    return value


def parse_source_route(value: str) -> tuple[str, ...]:
    """The hops of a source route; none for any other value.

    Raises: ValueError: a hop is not an IPv4 address.
    """
    if value[:1] not in ("S", "L") or len(value) > MAX_CHARS:
        return ()
    return tuple(str(IPv4Address(hop)) for hop in value[1:].split())
