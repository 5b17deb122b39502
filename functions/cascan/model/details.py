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
    number: int | None


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
        matches=os_matches(host.details),
        classes=tuple(_os_class(plain) for part in found for plain in rows(part, "osclass")),
        ports_used=tuple(
            PortUsed(text_of(plain, "state"), text_of(plain, "proto"), whole(text_of(plain, "portid")))
            for part in found
            for plain in rows(part, "portused")
        ),
        fingerprints=tuple(text_of(p, "fingerprint") for part in found for p in rows(part, "osfingerprint")),
    )


def os_matches(details: dict[str, list[Plain]]) -> tuple[OsMatch, ...]:
    """The matches, the best first as nmap lists them."""
    return tuple(_os_match(plain) for part in details.get("os", ()) for plain in rows(part, "osmatch"))


def uptime_of(host: Host) -> Uptime | None:
    plain = _first(host, "uptime")
    return None if plain is None else Uptime(whole(text_of(plain, "seconds")), text_of(plain, "lastboot"))


def distance_of(host: Host) -> int | None:
    """Hops to the host."""
    plain = _first(host, "distance")
    return whole(text_of(plain, "value")) if plain else None


def smurfs_of(host: Host) -> int | None:
    """Answers to one packet, where the address was a broadcast address."""
    plain = _first(host, "smurf")
    return whole(text_of(plain, "responses")) if plain else None


def times_of(host: Host) -> Times | None:
    plain = _first(host, "times")
    return None if plain is None else Times(*(whole(text_of(plain, name)) for name in ("srtt", "rttvar", "to")))


def trace_of(host: Host) -> Trace | None:
    plain = _first(host, "trace")
    if plain is None:
        return None
    hops = (
        Hop(whole(text_of(p, "ttl")), text_of(p, "ipaddr"), number(text_of(p, "rtt")), text_of(p, "host"))
        for p in rows(plain, "hop")
    )
    return Trace(text_of(plain, "proto"), whole(text_of(plain, "port")), tuple(hops))


def tcp_sequence_of(host: Host) -> Sequence | None:
    return _sequence(host, "tcpsequence")


def ip_id_sequence_of(host: Host) -> Sequence | None:
    return _sequence(host, "ipidsequence")


def tcp_timestamps_of(host: Host) -> Sequence | None:
    return _sequence(host, "tcptssequence")


def whole(text: str | None) -> int | None:
    """The text as a number from 0; None when it is absent or none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004 (64 bits)


def number(text: str | None) -> float | None:
    """The text as a finite number; None when it is absent or none."""
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def rows(plain: Plain, tag: str) -> list[Plain]:
    """The children of that tag; none where an attribute took the name."""
    found = plain.get(tag)
    return found if isinstance(found, list) else []


def text_of(plain: Plain, name: str) -> str:
    """The attribute; empty where there is none, or where children took the name."""
    found = plain.get(name, "")
    return found if isinstance(found, str) else ""


def _first(host: Host, tag: str) -> Plain | None:
    return next(iter(host.details.get(tag, ())), None)


def _sequence(host: Host, tag: str) -> Sequence | None:
    plain = _first(host, tag)
    if plain is None:
        return None
    values = text_of(plain, "values")
    return Sequence(
        values=tuple(values.split(",")) if values else (),
        index=whole(text_of(plain, "index")),
        difficulty=text_of(plain, "difficulty"),
        kind=text_of(plain, "class"),
    )


def _os_match(plain: Plain) -> OsMatch:
    classes = tuple(_os_class(found) for found in rows(plain, "osclass"))
    return OsMatch(
        text_of(plain, "name"), whole(text_of(plain, "accuracy")) or 0, whole(text_of(plain, "line")), classes
    )


def _os_class(plain: Plain) -> OsClass:
    return OsClass(
        vendor=text_of(plain, "vendor"),
        family=text_of(plain, "osfamily"),
        generation=text_of(plain, "osgen"),
        type=text_of(plain, "type"),
        accuracy=whole(text_of(plain, "accuracy")),
        cpe=tuple(text_of(cpe, "text") for cpe in rows(plain, "cpe")),
    )
