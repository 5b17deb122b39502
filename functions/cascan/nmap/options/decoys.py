"""The value of -D: a comma list of decoy addresses.

`ME` is the scanner's own place among them. `RND:n` makes n random addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from cascan.nmap.targets.kinds import IPV4
from cascan.patterns import compile_pattern

RANDOM = r"RND(?::(?P<count>[0-9]{1,3}))?"
SCANNER = "ME"
MAX_DECOYS = 127  # nmap keeps the 128th place for itself
HINT = "addresses, ME and RND:number, separated by commas"
TOO_MANY = f"more than {MAX_DECOYS - 1} decoys"
RANDOM6 = "RND makes IPv4 addresses alone, so nmap takes none in a scan of IPv6"


def check_decoys(value: str) -> str:
    """The value, unchanged. Raises: ValueError: nmap would refuse it; says what to write."""
    if value.count(",") >= MAX_DECOYS:
        raise ValueError(TOO_MANY)
    items = value.split(",")
    for item in items:
        if item != SCANNER and not compile_pattern(RANDOM).fullmatch(item) and _family(item) is None:
            raise ValueError(HINT)
    if items.count(SCANNER) > 1:
        raise ValueError("ME may be given once only")
    if _too_many(items):
        raise ValueError(TOO_MANY)
    if any(_count(item) == 0 for item in items):
        raise ValueError("RND:0 makes no address; write RND:1 or more")
    return value


def nmap_refuses_decoys(value: str) -> bool:
    """Whether nmap would not start with this value of -D."""
    if value == "" or value.count(",") > MAX_DECOYS:
        return True
    items = value.split(",")
    has_empty_random = any(_count(item) == 0 for item in items)
    return has_empty_random or items.count(SCANNER) > 1 or _too_many(items)


def decoy_addresses(value: str) -> tuple[str, ...]:
    """The addresses among the first MAX_DECOYS decoys; nmap takes no more."""
    items = value.split(",", MAX_DECOYS)[:MAX_DECOYS]
    return tuple(item for item in items if _family(item) is not None)


def find_family_mismatch(value: str, family: int) -> str:
    """Why decoys do not fit the scan's address family. Empty: they do."""
    items = value.split(",", MAX_DECOYS)[:MAX_DECOYS]
    if family != IPV4 and any(compile_pattern(RANDOM).fullmatch(item) for item in items):
        return RANDOM6
    if any(_family(item) not in (None, family) for item in items):
        return f"an address of the other family; this scan is of IPv{family}"
    return ""


def _too_many(items: Sequence[str]) -> bool:
    """Whether nmap runs out of places.

    It looks before each item, and counts that item only if it is random.
    """
    total = 0
    for item in items:
        decoys = _count(item)
        needed = decoys if compile_pattern(RANDOM).fullmatch(item) else 0
        if total + needed >= MAX_DECOYS:
            return True
        total += decoys
    return False


def _count(item: str) -> int:
    """How many decoys an item stands for."""
    match = compile_pattern(RANDOM).fullmatch(item)
    return int(match["count"] or 1) if match else 1


def _family(item: str) -> int | None:
    """4 or 6; None: the item is not an address."""
    try:
        return ip_address(item).version
    except ValueError:
        return None
