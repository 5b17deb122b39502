"""`Host.details` as typed values: what nmap says of a host besides its ports and scripts.

In goes a host, out comes the element's value, or None where the report has no such element. Numbers that are none are
None. Source: nmap.dtd.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from cascan.model.host import Host, OsClass, OsMatch

Plain = dict[str, Any]


class PortUsed(msgspec.Struct, frozen=True):
    """A port whose answers told the operating system."""

    state: str
    protocol: str
    parse_number: int | None


class Os(msgspec.Struct, frozen=True, kw_only=True):
    matches: tuple[OsMatch, ...] = ()
    classes: tuple[OsClass, ...] = ()  # beside the matches, as nmap before 6 and --deprecated-xml-osclass write them
    ports_used: tuple[PortUsed, ...] = ()
    fingerprints: tuple[str, ...] = ()


class Uptime(msgspec.Struct, frozen=True):
    seconds: int | None
    last_boot: str


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """How predictable numbers are: of TCP (`index`, `difficulty`), of IP ids and TCP timestamps (`kind`)."""

    values: tuple[str, ...] = ()
    index: int | None = None
    difficulty: str = ""
    kind: str = ""


class Hop(msgspec.Struct, frozen=True):
    ttl: int | None
    address: str
    rtt_ms: float | None  # None: not measured
    name: str


class Trace(msgspec.Struct, frozen=True):
    protocol: str
    port: int | None
    hops: tuple[Hop, ...]


class Times(msgspec.Struct, frozen=True):
    """What nmap measured of the way to the host, in microseconds."""

    srtt_us: int | None
    rttvar_us: int | None
    timeout_us: int | None


def os_of(host: Host) -> Os | None:
    """Operating systems, all that nmap says."""
    found = host.details.get("os", ())
    if not found:
        return None
    return Os(
        matches=parse_os_matches(host.details),
        classes=tuple(_os_class(plain) for part in found for plain in get_children(part, "osclass")),
        ports_used=tuple(
            PortUsed(get_text(plain, "state"), get_text(plain, "proto"), parse_count(get_text(plain, "portid")))
            for part in found
            for plain in get_children(part, "portused")
        ),
        fingerprints=tuple(get_text(p, "fingerprint") for part in found for p in get_children(part, "osfingerprint")),
    )


def parse_os_matches(details: dict[str, list[Plain]]) -> tuple[OsMatch, ...]:
    """The matches, the best first as nmap lists them."""
    return tuple(_os_match(plain) for part in details.get("os", ()) for plain in get_children(part, "osmatch"))


def uptime_of(host: Host) -> Uptime | None:
    plain = _first(host, "uptime")
    return None if plain is None else Uptime(parse_count(get_text(plain, "seconds")), get_text(plain, "lastboot"))


def distance_of(host: Host) -> int | None:
    """Hops to the host."""
    plain = _first(host, "distance")
    return parse_count(get_text(plain, "value")) if plain else None


def smurfs_of(host: Host) -> int | None:
    """Answers to one packet, where the address was a broadcast address."""
    plain = _first(host, "smurf")
    return parse_count(get_text(plain, "responses")) if plain else None


def times_of(host: Host) -> Times | None:
    plain = _first(host, "times")
    return None if plain is None else Times(*(parse_count(get_text(plain, name)) for name in ("srtt", "rttvar", "to")))


def trace_of(host: Host) -> Trace | None:
    plain = _first(host, "trace")
    if plain is None:
        return None
    hops = (
        Hop(
            parse_count(get_text(p, "ttl")),
            get_text(p, "ipaddr"),
            parse_number(get_text(p, "rtt")),
            get_text(p, "host"),
        )
        for p in get_children(plain, "hop")
    )
    return Trace(get_text(plain, "proto"), parse_count(get_text(plain, "port")), tuple(hops))


def tcp_sequence_of(host: Host) -> Sequence | None:
    return _sequence(host, "tcpsequence")


def ip_id_sequence_of(host: Host) -> Sequence | None:
    return _sequence(host, "ipidsequence")


def tcp_timestamps_of(host: Host) -> Sequence | None:
    return _sequence(host, "tcptssequence")


def parse_count(text: str | None) -> int | None:
    """The text as a number from 0; None when it is absent or none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004 (64 bits)


def parse_number(text: str | None) -> float | None:
    """The text as a finite number; None when it is absent or none."""
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def get_children(plain: Plain, tag: str) -> list[Plain]:
    """The children of that tag; none where an attribute took the name."""
    found = plain.get(tag)
    return found if isinstance(found, list) else []


def get_text(plain: Plain, name: str) -> str:
    """The attribute; empty where there is none, or where children took the name."""
    found = plain.get(name, "")
    return found if isinstance(found, str) else ""


def _first(host: Host, tag: str) -> Plain | None:
    return next(iter(host.details.get(tag, ())), None)


def _sequence(host: Host, tag: str) -> Sequence | None:
    plain = _first(host, tag)
    if plain is None:
        return None
    values = get_text(plain, "values")
    return Sequence(
        values=tuple(values.split(",")) if values else (),
        index=parse_count(get_text(plain, "index")),
        difficulty=get_text(plain, "difficulty"),
        kind=get_text(plain, "class"),
    )


def _os_match(plain: Plain) -> OsMatch:
    classes = tuple(_os_class(found) for found in get_children(plain, "osclass"))
    return OsMatch(
        get_text(plain, "name"),
        parse_count(get_text(plain, "accuracy")) or 0,
        parse_count(get_text(plain, "line")),
        classes,
    )


def _os_class(plain: Plain) -> OsClass:
    return OsClass(
        vendor=get_text(plain, "vendor"),
        family=get_text(plain, "osfamily"),
        generation=get_text(plain, "osgen"),
        type=get_text(plain, "type"),
        accuracy=parse_count(get_text(plain, "accuracy")),
        cpe=tuple(get_text(cpe, "text") for cpe in get_children(plain, "cpe")),
    )
