"""One `host` element of a report → one Host. Anything a DTD would demand may be missing. Source: nmap.dtd."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

from cascan.model.host import Address, ExtraPorts, Host, Hostname, OsMatch, Port, Script, Service
from cascan.nmap.report_text import repaired

MAX_PORT = 65_535
NAMED = frozenset({"status", "address", "hostnames", "ports", "hostscript"})  # what Host has fields for

Attributes = Mapping[str, str]
Warn = Callable[[str], None]


def host_of(host: Element, warn: Warn) -> Host:
    """The host; what cannot be a port is left out, and `warn` told so."""
    status = _attributes(host, "status")
    return Host(
        state=text_in(status, "state") or "unknown",
        reason=text_in(status, "reason"),
        addresses=tuple(_address(element.attrib) for element in host.iterfind("address") if element.get("addr")),
        hostnames=tuple(_hostname(element.attrib) for element in host.iterfind("hostnames/hostname")),
        ports=tuple(_ports(host, warn)),
        extraports=tuple(_extraports(host)),
        scripts=tuple(script for element in host.iterfind("hostscript") for script in scripts_in(element)),
        os_matches=tuple(_os_match(element.attrib) for element in host.iterfind("os/osmatch")),
        timed_out=host.get("timedout") == "true",
        started_at=instant_in(host.attrib, "starttime"),
        finished_at=instant_in(host.attrib, "endtime"),
        details=_details(host),
    )


def scripts_in(parent: Element) -> tuple[Script, ...]:
    """The script elements right below, in order."""
    return tuple(_script(element) for element in parent.iterfind("script"))


def text_in(attributes: Attributes, name: str) -> str:
    """The attribute's text, repaired; empty when absent."""
    return repaired(attributes.get(name, ""))


def count_in(attributes: Attributes, name: str) -> int | None:
    """The attribute as a number from 0; None when it is absent or none."""
    text = attributes.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004 (64 bits)


def number_in(attributes: Attributes, name: str) -> float | None:
    """The attribute as a finite number; None when it is absent or none."""
    try:
        number = float(attributes.get(name, ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def instant_in(attributes: Attributes, name: str) -> datetime | None:
    """The attribute, seconds since 1970, as an instant; None when it is absent, 0, or none."""
    seconds = count_in(attributes, name)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None


def _attributes(parent: Element, tag: str) -> Attributes:
    child = parent.find(tag)
    return {} if child is None else child.attrib


def _address(attributes: Attributes) -> Address:
    return Address(attributes["addr"], attributes.get("addrtype", "ipv4"), text_in(attributes, "vendor"))


def _hostname(attributes: Attributes) -> Hostname:
    return Hostname(text_in(attributes, "name"), text_in(attributes, "type"))


def _os_match(attributes: Attributes) -> OsMatch:
    return OsMatch(text_in(attributes, "name"), count_in(attributes, "accuracy") or 0)


def _extraports(host: Element) -> Iterator[ExtraPorts]:
    for element in host.iterfind("ports/extraports"):
        yield ExtraPorts(text_in(element.attrib, "state"), count_in(element.attrib, "count") or 0)


def _ports(host: Element, warn: Warn) -> Iterator[Port]:
    for element in host.iterfind("ports/port"):
        number = count_in(element.attrib, "portid")
        if number is None or number > MAX_PORT:
            warn("A port without a number from 0 to 65535 was left out.")
        else:
            yield _port(element, number)


def _port(element: Element, number: int) -> Port:
    state = _attributes(element, "state")
    service = element.find("service")
    return Port(
        protocol=element.get("protocol", "tcp"),
        number=number,
        state=text_in(state, "state") or "unknown",
        reason=text_in(state, "reason"),
        reason_ttl=count_in(state, "reason_ttl"),
        reason_ip=text_in(state, "reason_ip"),
        service=_service(service) if service is not None else None,
        scripts=scripts_in(element),
    )


def _service(element: Element) -> Service:
    attributes = element.attrib
    return Service(
        name=text_in(attributes, "name"),
        product=text_in(attributes, "product"),
        version=text_in(attributes, "version"),
        extrainfo=text_in(attributes, "extrainfo"),
        ostype=text_in(attributes, "ostype"),
        devicetype=text_in(attributes, "devicetype"),
        hostname=text_in(attributes, "hostname"),
        tunnel=text_in(attributes, "tunnel"),
        method=text_in(attributes, "method"),
        confidence=count_in(attributes, "conf"),
        servicefp=text_in(attributes, "servicefp"),
        cpe=tuple(repaired(cpe.text) for cpe in element.iterfind("cpe") if cpe.text),
    )


def _script(element: Element) -> Script:
    return Script(text_in(element.attrib, "id"), text_in(element.attrib, "output"), _structure(element))


def _structure(element: Element) -> Any:
    """The tables and elems below: a dict by key, a list where no key is given, None where there are none.

    A key that repeats holds the list of its values; values without a key beside keyed ones stand in a list under "".
    """
    values: dict[str, list[Any]] = {}
    for child in element:
        if child.tag == "table":
            values.setdefault(text_in(child.attrib, "key"), []).append(_structure(child) or {})
        elif child.tag == "elem":
            values.setdefault(text_in(child.attrib, "key"), []).append(repaired(child.text or ""))
    if not values:
        return None
    if values.keys() == {""}:
        return values[""]
    return {key: found[0] if len(found) == 1 and key else found for key, found in values.items()}


def _details(host: Element) -> dict[str, Any]:
    """Every other element of the host, by tag: uptime, distance, trace, os, sequences …"""
    details: dict[str, Any] = {}
    for child in host:
        if child.tag not in NAMED:
            details.setdefault(child.tag, []).append(_plain(child))
    return details


def _plain(element: Element) -> dict[str, Any]:
    """The element as data: its attributes, its text under `text`, and a list for each kind of child."""
    plain: dict[str, Any] = {name: repaired(value) for name, value in element.attrib.items()}
    if element.text and element.text.strip():
        plain["text"] = repaired(element.text)
    for child in element:
        children = plain.setdefault(child.tag, [])
        if isinstance(children, list):  # else an attribute of the same name, as nmap.dtd never has it
            children.append(_plain(child))
    return plain
