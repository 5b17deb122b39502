"""The values of options: one spelling each. nmap itself takes nan, inf, 0x10 and 5x for numbers; nobody means them."""

from __future__ import annotations

import re
from collections.abc import Callable

PORT_NAME = "names may hold letters, digits, '-', '_' and '.'; write ports instead of wildcards"
KINDS: dict[str, tuple[str, str]] = {  # kind → pattern, what to write
    "nothing": (r"", "it takes no value"),
    "positive": (r"0*[1-9][0-9]{0,8}", "a whole number above 0"),
    "count": (r"[0-9]{1,9}", "a whole number"),
    "os-tries": (r"0*([1-9]|[1-4][0-9]|50)", "a whole number from 1 to 50"),
    "intensity": (r"[0-9]", "a digit from 0 to 9"),
    "rate": (r"(?=[0-9.]*[1-9])[0-9]{1,7}(\.[0-9]{1,3})?", "a number above 0"),
    "ratio": (r"0?\.[0-9]{1,9}|0", "a number from 0 up to, not including, 1"),
    "time": (r"[0-9]{1,9}(\.[0-9]{1,9})?(ms|[smh])?", "a number and ms, s, m or h, as in 30m"),
    "engine": (r"epoll|poll|select", "epoll, poll or select"),
    "ports": (r"[][A-Za-z0-9:,. _-]+", f"ports, as in 22,80,8000-8100 or T:80,U:53; {PORT_NAME}"),
}
TOGETHER = frozenset({"script", "script-args"})  # judged together, by cascan.nmap.scripts
TIMINGS = ("paranoid", "sneaky", "polite", "normal", "aggressive", "insane")


def checked_value(kind: str, value: str) -> str:
    """The value in its one spelling. Raises: ValueError: not a value of the kind; says what to write."""
    special = SPECIAL.get(kind)
    if special:
        return special(value)
    pattern, hint = KINDS[kind]
    if not re.fullmatch(pattern, value):
        raise ValueError(hint)
    return value


def _timing(value: str) -> str:
    if re.fullmatch(r"[0-5]", value):
        return value
    if value.lower() in TIMINGS:
        return str(TIMINGS.index(value.lower()))
    raise ValueError(f"a digit from 0 to 5, or one of {', '.join(TIMINGS)}")


SPECIAL: dict[str, Callable[[str], str]] = {
    "timing": _timing,
}
