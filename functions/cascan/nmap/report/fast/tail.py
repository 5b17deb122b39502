"""The quick reading of what follows a host's ports: uptime, distance, sequences, the way there and its times.

A pattern each for what nmap writes with the same attributes in the same order on every host; FLAT for the rest.
"""

from __future__ import annotations

import re
from typing import Any

from cascan.nmap.report.decode import compile_pattern
from cascan.nmap.report.fast.script import UnusualMarkup, unescape

NOT_PLAIN = frozenset({"xmlns", "text"})  # attributes that host.py reads otherwise
Rows = list[dict[str, Any]]
Details = dict[str, Rows]

VALUE = r'"([^"<\x00-\x1f]*)"'
FILLED = r'"([^"<\x00-\x1f]+)"'
ATTRIBUTE = rf" ([a-z_]+)={VALUE}"
ATTRIBUTES = r'((?: [a-z_]+="[^"<\x00-\x1f]*")*)'
TIMES = re.compile(rf"<times srtt={VALUE} rttvar={VALUE} to={VALUE}/>\s*")
GUESSES = (  # what nmap has of a host whose system it guessed, one behind the other
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
    """Read what stands at `start` into `details`; the place behind it, or `start`: it is something else."""
    if times := TIMES.match(text, start):
        srtt, rttvar, to = _told(times)
        _add(details, "times", {"srtt": srtt, "rttvar": rttvar, "to": to})
        return times.end()
    if guesses := compile_pattern(GUESSES).match(text, start):
        _read_guesses(guesses, details)
        return guesses.end()
    if trace := compile_pattern(TRACE).match(text, start):
        hops = _hops(trace[2])
        _add(details, "trace", read_attributes(trace[1]) | ({"hop": hops} if hops else {}))
        return trace.end()
    if flat := compile_pattern(FLAT).match(text, start):
        _add(details, flat[1], read_attributes(flat[2]))
        return flat.end()
    return start


def read_attributes(text: str) -> dict[str, str]:
    """Attributes as nmap writes them, a space before each."""
    found = compile_pattern(ATTRIBUTE).findall(text)
    attributes = dict(found)
    if len(attributes) != len(found) or not NOT_PLAIN.isdisjoint(attributes):
        raise UnusualMarkup
    return {name: unescape(value) for name, value in found} if "&" in text else attributes


def _read_guesses(found: re.Match[str], details: Details) -> None:
    seconds, last_boot, distance, index, difficulty, values, kind, ids, clock, stamps = _told(found)
    if found[1] is not None:
        _add(details, "uptime", {"seconds": seconds, "lastboot": last_boot})
    _add(details, "distance", {"value": distance})
    _add(details, "tcpsequence", {"index": index, "difficulty": difficulty, "values": values})
    _add(details, "ipidsequence", {"class": kind, "values": ids})
    _add(details, "tcptssequence", {"class": clock, "values": stamps})


def _hops(text: str) -> Rows:
    found = compile_pattern(HOP).findall(text)
    if len(found) != text.count("<") or "&" in text or '=""' in text:  # findall tells no empty value from none
        hops = compile_pattern(ANY_HOP).findall(text)
        if len(hops) != text.count("<"):
            raise UnusualMarkup
        return [read_attributes(hop) for hop in hops]
    return [
        {"ttl": ttl, "ipaddr": address, "rtt": rtt, "host": host}
        if rtt and host
        else {"ttl": ttl, "ipaddr": address} | ({"rtt": rtt} if rtt else {}) | ({"host": host} if host else {})
        for ttl, address, rtt, host in found
    ]


def _told(found: re.Match[str]) -> tuple[str, ...]:
    """The groups, their references resolved."""
    return tuple(map(unescape, found.groups(""))) if "&" in found[0] else found.groups("")


def _add(details: Details, name: str, row: dict[str, Any]) -> None:
    if name in details:
        details[name].append(row)
    else:
        details[name] = [row]
