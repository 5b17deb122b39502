"""The route to a host, as nmap's --traceroute recorded it in the host's finding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from cascan.findings.hosts import CATEGORY
from cascan.limits import MAX_ROUTE_HOPS
from cascan.model.finding import Finding


class Hop(NamedTuple):
    number: int  # from 1; hops that did not answer are missing
    address: str
    name: str  # empty: none is known
    rtt_ms: float | None


Route = tuple[Hop, ...]


def read_route(finding: Finding) -> Route:
    """The hops to the host of a finding, in order, with the host itself. Empty: nmap traced none.

    The stored value may have any form, such as that of another version: what is not a hop is left out.
    """
    if finding.category != CATEGORY:
        return ()
    details = finding.attributes.get("details")
    traces = details.get("trace") if isinstance(details, dict) else None
    trace = traces[0] if isinstance(traces, list) and traces else None
    rows = trace.get("hop") if isinstance(trace, dict) else None
    if not isinstance(rows, list):
        return ()
    hops = {hop.number: hop for hop in map(_read_hop, rows[:MAX_ROUTE_HOPS]) if hop}
    return tuple(hops[number] for number in sorted(hops))


def find_route(findings: Iterable[Finding]) -> Route:
    """The route in the first of these findings that has one. Empty: none has."""
    return next(filter(None, map(read_route, findings)), ())


def _read_hop(row: Any) -> Hop | None:
    if not isinstance(row, dict):
        return None
    number, address, name = row.get("ttl"), row.get("ipaddr"), row.get("host", "")
    if not (isinstance(number, str) and isinstance(address, str) and address and isinstance(name, str)):
        return None
    if not (number.isascii() and number.isdecimal()) or not 0 < int(number[:4]) <= MAX_ROUTE_HOPS:
        return None
    return Hop(int(number[:4]), address, name, _read_time(row.get("rtt")))


def _read_time(value: object) -> float | None:
    """Milliseconds. None: nmap writes `--` where it did not measure."""
    try:
        time = float(value) if isinstance(value, str) else -1.0
    except ValueError:
        return None
    return time if 0 <= time < float("inf") else None
