"""Values that nmap itself refuses, by option.

A refusal says whether nmap would have accepted the value.

The list is not complete: nmap may also refuse a value that is not listed here. Source: runs of nmap
7.93.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cascan import limits
from cascan.nmap.options.decoys import nmap_refuses_decoys
from cascan.nmap.options.mac_address import nmap_refuses_mac
from cascan.patterns import compile_pattern

INTEGER = r"\s*([+-]?[0-9]+)"
FLOAT = (r"\s*([+-]?(?:0[xX][0-9A-Fa-f]+|[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|"
         r"(?i:nan|inf(?:inity)?)))")  # fmt: skip
HEXADECIMAL = r"[+-]?0[xX]"
LONG_DIGITS = 25  # more than any integer of C has
UNITS_MS = {"": 1_000.0, "s": 1_000.0, "ms": 1.0, "m": 60_000.0, "h": 3_600_000.0}
MAX_DATA_LENGTH = 65_435  # nmap's own bounds
MAX_OS_TRIES = 50
MAX_HOPS = 8  # of a source route; nmap adds the target as the ninth
MAX_IP_OPTION_BYTES = 40
TIMINGS = ("paranoid", "sneaky", "polite", "normal", "aggressive", "insane")
ENGINES = ("epoll", "poll", "select")
Refuses = Callable[[str], bool]


def nmap_refuses(option: str, value: str) -> bool:
    """Whether nmap would not start with this value of an option, by its canonical name."""
    refuses = REFUSES.get(option)
    return refuses is not None and refuses(value)


def parse_c_integer(text: str) -> int:
    """The number as C's atoi reads it.

    Text that is not a number is 0. A number that is too large wraps around.
    """
    match = compile_pattern(INTEGER).match(text)
    digits = match[1] if match else "0"
    lowest, highest = -(2**63), 2**63 - 1
    if len(digits) < LONG_DIGITS:
        number = max(lowest, min(highest, int(digits)))
    else:
        number = lowest if digits.startswith("-") else highest
    return (number + 2**31) % 2**32 - 2**31


def parse_c_float(text: str) -> tuple[float, str] | None:
    """The number as C's strtod reads it, and the text after it.

    None: the text does not begin with a number.
    """
    match = compile_pattern(FLOAT).match(text)
    if not match:
        return None
    digits = match[1]
    number = float(int(digits, 16)) if compile_pattern(HEXADECIMAL).match(digits) else float(digits)
    return number, text[match.end() :]


def _outside(low: int, high: int) -> Refuses:
    return lambda text: not low <= parse_c_integer(text) <= high


def _not_positive(text: str) -> bool:
    parsed = parse_c_float(text)
    return parsed is None or parsed[0] <= 0


def _time(low_ms: float, bare_s: float) -> Refuses:
    """A check for times. It refuses one below `low_ms`.

    From `bare_s` seconds on it also refuses a time without a unit: nmap suspects milliseconds, its
    former unit.
    """

    def refuses(text: str) -> bool:
        parsed = parse_c_float(text)
        if parsed is None:
            return True
        number, unit = parsed
        if unit.lower() not in UNITS_MS:
            return True
        milliseconds = number * UNITS_MS[unit.lower()]
        return milliseconds < low_ms or (not unit and milliseconds >= bare_s * 1_000)

    return refuses


def _ratio(text: str) -> bool:
    parsed = parse_c_float(text)
    return parsed is not None and not 0 <= parsed[0] < 1


def _port_count(text: str) -> bool:
    parsed = parse_c_float(text)
    if parsed is None:
        return True
    number = parsed[0]
    return not 1 <= number < float("inf") or number != int(number)


def _mtu(text: str) -> bool:
    return parse_c_integer(text) <= 0 or parse_c_integer(text) % 8 != 0


def _timing(text: str) -> bool:
    return not re.match(r"[0-5]", text) and text.lower() not in TIMINGS


def _flags(text: str) -> bool:
    """nmap reads a number as C does.

    It takes any other text for names of flags, and ignores unknown ones.
    """
    if not re.match(r"[0-9]", text):
        return False
    number = re.fullmatch(r"0[xX](?P<hexadecimal>[0-9A-Fa-f]{1,7})|(?P<decimal>[0-9]{1,9})", text)
    if not number:
        return True
    value = int(number["hexadecimal"], 16) if number["hexadecimal"] else int(number["decimal"])
    return value > limits.MAX_OCTET


def _bytes(text: str) -> bool:
    return not re.fullmatch(r"(0x)?([0-9A-Fa-f]{2})+|(\\x([0-9A-Fa-f]{2})+)+", text)


def _ip_options(text: str) -> bool:
    """Source routes and bytes.

    The addresses of a route are not checked here but in source_route.py.
    """
    if text[:1] in ("S", "L"):
        return len(text[1:].split()) > MAX_HOPS
    octets = re.findall(r"\\x[0-9A-Fa-f]{2}", text)
    is_bytes_only = "".join(octets) == text
    return is_bytes_only and (len(octets) % 4 != 0 or len(octets) > MAX_IP_OPTION_BYTES)


REFUSES: dict[str, Refuses] = {
    "--data": _bytes,
    "--data-length": _outside(0, MAX_DATA_LENGTH),
    "--host-timeout": _time(0, 10_000),
    "--initial-rtt-timeout": _time(1, 50),
    "--ip-options": _ip_options,
    "--max-os-tries": _outside(1, MAX_OS_TRIES),
    "--max-parallelism": _outside(1, 2**31),
    "--max-rate": _not_positive,
    "--max-retries": _outside(0, 2**31),
    "--max-rtt-timeout": _time(5, 50),
    "--max-scan-delay": _time(0, 100),
    "--min-parallelism": _outside(1, 2**31),
    "--min-rate": _not_positive,
    "--min-rtt-timeout": _time(0, 50),
    "--mtu": _mtu,
    "--nsock-engine": lambda text: text not in ENGINES,
    "--port-ratio": _ratio,
    "--scan-delay": _time(0, 100),
    "--scanflags": _flags,
    "--script-timeout": _time(0, float("inf")),
    "--spoof-mac": nmap_refuses_mac,
    "--stats-every": _time(0, float("inf")),
    "--top-ports": _port_count,
    "--ttl": _outside(0, limits.MAX_OCTET),
    "--version-intensity": _outside(0, 9),
    "-D": nmap_refuses_decoys,
    "-T": _timing,
    "-v": lambda text: not re.match(r"[0-9]|v*$", text),
}
