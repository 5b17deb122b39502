"""The values of options, each in one spelling.

Refused as numbers are nan, inf, 0x10 and 5x, which nmap accepts.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cascan import limits
from cascan.nmap.options.decoys import check_decoys
from cascan.nmap.options.mac_address import check_mac
from cascan.nmap.options.refused_values import TIMINGS
from cascan.nmap.options.source_route import check_ip_options
from cascan.nmap.ports.port_list import parse_ports

TIME = r"[0-9]{1,9}(\.[0-9]{1,9})?(ms|[smh])?"
HOW_TIME = "a number and ms, s, m or h, as in 30m"
UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "": 1_000}
KINDS: dict[str, tuple[str, str]] = {  # kind → pattern, what to write
    "nothing": (r"", "it takes no value"),
    "parallelism": (r"[0-9]{1,9}", "a whole number"),
    "hostgroup": (r"[0-9]{1,9}", "a whole number"),
    "port-count": (r"[0-9]{1,9}", "a whole number"),
    "retries": (r"[0-9]{1,9}", "a whole number"),
    "os-tries": (r"0*([1-9]|[1-4][0-9]|50)", "a whole number from 1 to 50"),
    "intensity": (r"[0-9]", "a digit from 0 to 9"),
    "rate": (r"[0-9]{1,9}(\.[0-9]{1,3})?", "a number, packets a second"),
    "ratio": (r"0?\.[0-9]{1,9}|0", "a number from 0 to 0.484, where http alone is left"),
    "rtt": (TIME, HOW_TIME),
    "delay": (TIME, HOW_TIME),
    "timeout": (TIME, HOW_TIME),
    "engine": (r"epoll|poll|select", "epoll, poll or select"),
    "source-port": (r"0*[1-9][0-9]{0,4}", "a port from 1 to 65,535"),
    "length": (r"[0-9]{1,4}", "a whole number"),
    "ttl": (r"[0-9]{1,3}", "a whole number"),
    "mtu": (r"[0-9]{1,4}", "a multiple of 8"),
    "flags": (r"(?i:[0-9]{1,3}|(URG|ACK|PSH|RST|SYN|FIN|ECE|CWR)+)", "a number up to 255, or flags as in SYNFIN"),
    "bytes": (r"(0x)?([0-9A-Fa-f]{2}){1,700}|(\\x[0-9A-Fa-f]{2}){1,350}", "bytes, as in 0xdeadbeef"),
    "text": (r"[ -~]{1,400}", "up to 400 printable characters"),
}
BOUNDS: dict[str, tuple[float, float]] = {  # kind → lowest and highest; times in milliseconds
    "parallelism": (1, limits.MAX_PARALLELISM),
    "hostgroup": (1, limits.MAX_HOSTGROUP),
    "port-count": (1, limits.MAX_PORT),
    "source-port": (1, limits.MAX_PORT),
    "length": (0, limits.MAX_DATA_LENGTH),
    "ttl": (0, limits.MAX_OCTET),
    "mtu": (8, limits.MAX_MTU),
    "ratio": (0, limits.MAX_PORT_RATIO),
    "retries": (0, limits.MAX_RETRIES),
    "rate": (limits.MIN_RATE, limits.MAX_RATE),
    "rtt": (limits.MIN_RTT_TIMEOUT_MS, limits.MAX_RTT_TIMEOUT_MS),
    "delay": (0, limits.MAX_SCAN_DELAY_MS),
    "timeout": (0, limits.MAX_TIMEOUT_MS),  # 0: none
}


def normalize_value(kind: str, value: str) -> str:
    """The value in its one spelling.

    Raises: ValueError: the value is not of the kind; says what to write.
    """
    special = SPECIAL.get(kind)
    if special:
        return special(value)
    pattern, hint = KINDS[kind]
    if not re.fullmatch(pattern, value):
        raise ValueError(hint)
    if kind in BOUNDS:
        _check_bounds(value, *BOUNDS[kind], unit="ms" if pattern == TIME else "")
    if kind == "mtu" and int(value) % 8:
        raise ValueError(hint)
    if kind == "flags" and value.isdigit() and int(value) > limits.MAX_OCTET:
        raise ValueError(hint)
    return value


def hint_for(kind: str) -> str:
    """What to write instead, as the end of a refusal. Empty: the kind has no hint."""
    if kind not in KINDS:
        return ""
    pattern, hint = KINDS[kind]
    unit = "; a longer time needs its unit, as in 60s" if pattern == TIME else ""
    return f"; write {hint}{unit}"


def parse_number(value: str, *, is_time: bool) -> float:
    """The number in a checked value; a time in milliseconds.

    A time without a unit is in seconds.
    """
    number = value.rstrip("smh")
    unit = value[len(number) :]
    return float(number) * (UNIT_MS[unit] if is_time else 1)


def _check_bounds(value: str, low: float, high: float, unit: str) -> None:
    if not low <= parse_number(value, is_time=bool(unit)) <= high:
        raise ValueError(f"from {low:,}{unit} to {high:,}{unit}")


def _timing(value: str) -> str:
    if re.fullmatch(r"[0-5]", value):
        return value
    if value.lower() in TIMINGS:
        return str(TIMINGS.index(value.lower()))
    raise ValueError(f"a digit from 0 to 5, or one of {', '.join(TIMINGS)}")


def _ports(value: str) -> str:
    parse_ports(value)
    return _remove_spaces(value)


def _ping_ports(value: str) -> str:
    parse_ports(value, letters="")
    return _remove_spaces(value)


def _protocols(value: str) -> str:
    if ":" in value:
        raise ValueError("protocols by number, as in 1,6,17")
    parse_ports(f"P:{value}")
    return _remove_spaces(value)


def _remove_spaces(ports: str) -> str:
    """nmap accepts a space only in some places of a list."""
    return ports.replace(" ", "")


SPECIAL: dict[str, Callable[[str], str]] = {
    "decoys": check_decoys,
    "ip-options": check_ip_options,
    "mac": check_mac,
    "ping-ports": _ping_ports,
    "ports": _ports,
    "protocols": _protocols,
    "timing": _timing,
}
