"""Read the elements after a host's ports by patterns: uptime, distance, sequences, trace, times.

An element that has the same attributes in the same order on every host has its own pattern. FLAT
reads the others.
"""

from __future__ import annotations

import re
from typing import Any

from cascan.nmap.report.fast.script import UnusualMarkup, unescape
from cascan.patterns import compile_pattern

SPECIAL = frozenset({"xmlns", "text"})  # attributes that tree/host.py treats specially
Rows = list[dict[str, Any]]
Details = dict[str, Rows]

VALUE = r'"([^"<\x00-\x1f]*)"'
FILLED = r'"([^"<\x00-\x1f]+)"'
ATTRIBUTE = rf" ([a-z_]+)={VALUE}"
ATTRIBUTES = r'((?: [a-z_]+="[^"<\x00-\x1f]*")*)'
TIMES = re.compile(rf"<times srtt={VALUE} rttvar={VALUE} to={VALUE}/>\s*")
GUESSES = (  # of a host whose operating system was guessed, in this order
    rf"(?:<uptime seconds={VALUE} lastboot={VALUE}/>\s*)?"
    rf"<distance value={VALUE}/>\s*"
    rf"<tcpsequence index={VALUE} difficulty={VALUE} values={VALUE}/>\s*"
    rf"<ipidsequence class={VALUE} values={VALUE}/>\s*"
    rf"<tcptssequence class={VALUE} values={VALUE}/>\s*"
)
FLAT = rf"<(uptime|distance|tcpsequence|ipidsequence|tcptssequence|times|smurf){ATTRIBUTES}/>\s*"
TRACE = rf"<trace{ATTRIBUTES}>\s*((?:<hop [^<>]*/>\s*)*)</trace>\s*"
HOP = rf"<hop ttl={VALUE} ipaddr={VALUE}(?: rtt={VALUE})?(?: host={VALUE})?/>"
ANY_HOP = rf"<hop{ATTRIBUTES}/>"


def read_flat(text: str, start: int, details: Details) -> int:
    """Read the element at `start` into `details`.

    Returns the position after it; `start`, if none of the patterns matches.
    """
    if times := TIMES.match(text, start):
        srtt, rttvar, timeout = _get_groups(times)
        _add(details, "times", {"srtt": srtt, "rttvar": rttvar, "to": timeout})
        return times.end()
    if trace := compile_pattern(TRACE).match(text, start):
        hops = _read_hops(trace[2])
        _add(details, "trace", read_attributes(trace[1]) | ({"hop": hops} if hops else {}))
        return trace.end()
    if guesses := compile_pattern(GUESSES).match(text, start):
        _read_guesses(guesses, details)
        return guesses.end()
    if flat := compile_pattern(FLAT).match(text, start):
        _add(details, flat[1], read_attributes(flat[2]))
        return flat.end()
    return start


def read_attributes(text: str) -> dict[str, str]:
    """The attributes in the text, each after one space, as nmap writes them."""
    pairs = compile_pattern(ATTRIBUTE).findall(text)
    attributes = dict(pairs)
    if len(attributes) != len(pairs) or not SPECIAL.isdisjoint(attributes):
        raise UnusualMarkup
    return {name: unescape(value) for name, value in pairs} if "&" in text else attributes


def _read_guesses(match: re.Match[str], details: Details) -> None:
    groups = _get_groups(match)
    seconds, last_boot, distance, index, difficulty, values, kind, ids, clock, stamps = groups
    if match[1] is not None:
        _add(details, "uptime", {"seconds": seconds, "lastboot": last_boot})
    _add(details, "distance", {"value": distance})
    _add(details, "tcpsequence", {"index": index, "difficulty": difficulty, "values": values})
    _add(details, "ipidsequence", {"class": kind, "values": ids})
    _add(details, "tcptssequence", {"class": clock, "values": stamps})


def _read_hops(text: str) -> Rows:
    rows = compile_pattern(HOP).findall(text)
    has_empty_value = '=""' in text  # to findall, it equals an absent value
    if len(rows) != text.count("<") or "&" in text or has_empty_value:
        hops = compile_pattern(ANY_HOP).findall(text)
        if len(hops) != text.count("<"):
            raise UnusualMarkup
        return [read_attributes(hop) for hop in hops]
    return [
        {"ttl": ttl, "ipaddr": address, "rtt": rtt} if rtt and not host else _to_hop(ttl, address, rtt, host)
        for ttl, address, rtt, host in rows
    ]


def _to_hop(ttl: str, address: str, rtt: str, host: str) -> dict[str, Any]:
    hop = {"ttl": ttl, "ipaddr": address}
    if rtt:
        hop["rtt"] = rtt
    if host:
        hop["host"] = host
    return hop


def _get_groups(match: re.Match[str]) -> tuple[str, ...]:
    """The groups, with their references resolved."""
    return tuple(map(unescape, match.groups(""))) if "&" in match[0] else match.groups("")


def _add(details: Details, name: str, row: dict[str, Any]) -> None:
    if name in details:
        details[name].append(row)
    else:
        details[name] = [row]
