"""The value of -D: addresses beside one's own, ME for one's own place among them, RND:n for n addresses by chance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from cascan.nmap.targets.kinds import IPV4

RANDOM = re.compile(r"RND(?::(?P<count>[0-9]{1,3}))?")
OWN = "ME"
MAX_DECOYS = 127  # nmap keeps the 128th place for itself
HINT = "addresses, ME and RND:number, separated by commas"
TOO_MANY = f"more than {MAX_DECOYS - 1} decoys"
RANDOM6 = "RND makes IPv4 addresses alone, so nmap takes none in a scan of IPv6"


def check_decoys(value: str) -> str:
    """The value itself. Raises: ValueError: not decoys that nmap takes; says what to write."""
    if value.count(",") >= MAX_DECOYS:
        raise ValueError(TOO_MANY)
    items = value.split(",")
    for item in items:
        if item != OWN and not RANDOM.fullmatch(item) and _family(item) is None:
            raise ValueError(HINT)
    if items.count(OWN) > 1:
        raise ValueError("ME stands once at most")
    if _too_many(items):
        raise ValueError(TOO_MANY)
    if any(_count(item) == 0 for item in items):
        raise ValueError("RND:0 makes no address; write RND:1 or more")
    return value


def nmap_refuses_decoys(value: str) -> bool:
    if value.count(",") > MAX_DECOYS:  # at least as many decoys as nmap has places
        return True
    items = value.split(",")
    is_random_wrong = any(_count(item) == 0 for item in items)
    return value == "" or items.count(OWN) > 1 or is_random_wrong or _too_many(items)


def decoy_addresses(value: str) -> tuple[str, ...]:
    """The addresses among decoys, as far as nmap takes so many."""
    items = value.split(",", MAX_DECOYS)[:MAX_DECOYS]
    return tuple(item for item in items if _family(item) is not None)


def find_family_mismatch(value: str, family: int) -> str:
    """Why decoys do not fit the scan's family; empty: they do."""
    items = value.split(",", MAX_DECOYS)[:MAX_DECOYS]
    if family != IPV4 and any(RANDOM.fullmatch(item) for item in items):
        return RANDOM6
    if any(_family(item) not in (None, family) for item in items):
        return f"an address of the other family; this scan is of IPv{family}"
    return ""


def _too_many(items: Sequence[str]) -> bool:
    """As nmap counts: before each item, how many there are."""
    total = 0
    for item in items:
        more = _count(item)
        if total + (more if RANDOM.fullmatch(item) else 0) >= MAX_DECOYS:
            return True
        total += more
    return False


def _count(item: str) -> int:
    match = RANDOM.fullmatch(item)
    return int(match["count"] or 1) if match else 1


def _family(item: str) -> int | None:
    try:
        return ip_address(item).version
    except ValueError:
        return None
