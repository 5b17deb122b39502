"""Read the head of a host by patterns: from `<host` to its names."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from cascan.model.host import Address, Host, Hostname
from cascan.nmap.report.fast.script import UnusualMarkup, unescape
from cascan.nmap.report.fast.tail import ATTRIBUTES, FILLED, VALUE
from cascan.nmap.report.tree.values import parse_timestamp
from cascan.patterns import compile_pattern

STATUS = rf'<status state={FILLED} reason={VALUE} reason_ttl="([0-9]{{1,9}})"/>\s*'
COMMON = re.compile(  # one address, perhaps a MAC address, perhaps a name
    rf'\s*<host starttime="([0-9]{{1,10}})" endtime="([0-9]{{1,10}})">\s*{STATUS}'
    r'<address addr="([0-9A-Fa-f.:]+)" addrtype="(ipv4|ipv6)"/>\s*'
    rf'(?:<address addr="([0-9A-F:]+)" addrtype="mac"(?: vendor={VALUE})?/>\s*)?'
    rf'<hostnames>\s*(?:<hostname name={FILLED} type="(user|PTR)"/>\s*)?</hostnames>\s*'
)
DOWN = re.compile(  # a host that is down, as a whole: -v lists each of them
    rf'\s*<host><status state="down" reason={VALUE} reason_ttl="([0-9]{{1,9}})"/>\s*'
    r'<address addr="([0-9A-Fa-f.:]+)" addrtype="(ipv4|ipv6)"/>\s*'
)
MAX_DOWN_CHARS = 250  # of such a host: longer elements are not tried
HEAD = (
    rf'\s*<host(?: starttime="([0-9]{{1,10}})" endtime="([0-9]{{1,10}})")?>\s*{STATUS}'
    rf"((?:<address{ATTRIBUTES}/>\s*)+)"
    r"(?:<hostnames>\s*((?:<hostname [^<>]*/>\s*)*)</hostnames>\s*)?"
)
ADDRESS = rf'<address addr={VALUE} addrtype="(ipv4|ipv6|mac)"(?: vendor={VALUE})?/>'
HOSTNAME = rf'<hostname name={FILLED} type="(user|PTR)"/>'


# The position after the head; start and end of the scan; state, reason, its TTL; addresses; names.
HostHead = tuple[
    int,
    datetime | None,
    datetime | None,
    str,
    str,
    int,
    tuple[Address, ...],
    tuple[Hostname, ...],
]


def read_down_host(text: str) -> Host | None:
    """The host of an element that says only that it is down, without its `</host>`. None: it says more."""
    if len(text) > MAX_DOWN_CHARS or (match := DOWN.fullmatch(text)) is None:
        return None
    reason, ttl, address, kind = match.groups()
    return Host(state="down", reason=unescape(reason), reason_ttl=int(ttl), addresses=(Address(address, kind),))


def read_head(text: str) -> HostHead:
    """Read the head at the start of a host element.

    Raises: UnusualMarkup: the head is not written as nmap writes it.
    """
    if (match := COMMON.match(text)) is None:
        return _read_any_head(text)
    fields = match.groups()
    started, finished, state, reason, ttl, address, kind, mac, vendor, name, name_kind = fields
    addresses: tuple[Address, ...] = (Address(address, kind),)
    if mac:
        addresses += (Address(mac, "mac", unescape(vendor or "")),)
    names = () if name is None else (Hostname(unescape(name), name_kind),)
    if text.find("&", 0, match.end()) >= 0:
        state, reason = unescape(state), unescape(reason)
    return match.end(), read_time(started), read_time(finished), state, reason, int(ttl), addresses, names


def _read_any_head(text: str) -> HostHead:
    match = compile_pattern(HEAD).match(text)
    if match is None:
        raise UnusualMarkup
    started, finished, state, reason, ttl, addresses, _, names = match.groups()
    begun, ended = read_time(started), read_time(finished)
    hostnames = _read_hostnames(names) if names else ()
    end, state, reason = match.end(), unescape(state), unescape(reason)
    return end, begun, ended, state, reason, int(ttl), _read_addresses(addresses), hostnames


@lru_cache(maxsize=1_024)  # many hosts begin and end in the same second
def read_time(seconds: str | None) -> datetime | None:
    """The time. None: there is none. Raises: UnusualMarkup: the text is not a time."""
    time = parse_timestamp(seconds)
    if time is None and seconds is not None:
        raise UnusualMarkup
    return time


def _read_addresses(text: str) -> tuple[Address, ...]:
    rows = compile_pattern(ADDRESS).findall(text)
    if len(rows) != text.count("<") or any(not addr for addr, _, _ in rows):
        raise UnusualMarkup
    return tuple([Address(unescape(addr), kind, unescape(vendor)) for addr, kind, vendor in rows])


def _read_hostnames(text: str) -> tuple[Hostname, ...]:
    rows = compile_pattern(HOSTNAME).findall(text)
    if len(rows) != text.count("<"):
        raise UnusualMarkup
    return tuple([Hostname(unescape(name), kind) for name, kind in rows])
