"""Build a Host from a parsed `host` element. Attributes that the DTD requires may be missing.

Source: nmap.dtd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from cascan.limits import MAX_PORT, MAX_XML_DEPTH
from cascan.model.host import Address, ExtraPorts, ExtraReason, Host, Hostname, Port, Script, Service
from cascan.nmap.report.decode import repair_utf8
from cascan.nmap.report.schema import (
    ATTRIBUTES,
    HOST,
    SERVICE_CHILDREN,
    TEXT,
    check_content,
    check_element,
)
from cascan.nmap.report.tree.os_matches import parse_os_matches
from cascan.nmap.report.tree.script import parse_scripts
from cascan.nmap.report.tree.values import parse_count, parse_timestamp

# Elements for which Host has fields.
NAMED = frozenset({"status", "address", "hostnames", "ports", "hostscript"})
SERVICE_ATTRIBUTES = frozenset(Service.__struct_fields__) - {"confidence", "cpe"} | {"conf"}
# Attributes that are numbers, with their fields of Service.
SERVICE_NUMBERS = {
    "conf": "confidence",
    "rpcnum": "rpcnum",
    "lowver": "lowver",
    "highver": "highver",
}
BAD_PORT = "A port without a number from 0 to 65535 was left out."
BAD_TIME = "A time that is none was left out."
BAD_NUMBER = "A number that is none was left out."
NO_PROTOCOL = "A port without a protocol was taken to be of TCP."
# The key in data of an attribute called `text`, since `text` is the key of the element's own text.
TEXT_ATTRIBUTE = "@text"

Attributes = Mapping[str, str]
Warn = Callable[[str], None]


class TooDeep(Exception):
    """Elements nested deeper than MAX_XML_DEPTH."""


def parse_host(host: Element, warn: Warn) -> Host:
    """The host. Ports without a valid number are left out with a warning.

    Raises: TooDeep: the host's elements are nested too deep.
    """
    check_element(host, HOST, warn)
    status = _attributes(host, "status")
    ports_elements = host.findall("ports")
    ports = tuple(port for element in ports_elements for port in _parse_ports(element, warn))
    details = parse_details(host, warn)
    return Host(
        state=get_text(status, "state") or _guess_state(ports, warn),
        reason=get_text(status, "reason"),
        reason_ttl=get_count(status, "reason_ttl", warn),
        addresses=parse_addresses(host, warn),
        hostnames=parse_hostnames(host, warn),
        ports=ports,
        extraports=tuple(_parse_all_extraports(ports_elements, warn)),
        scripts=tuple(_parse_host_scripts(host, warn)),
        os_matches=parse_os_matches(details),
        timed_out=_is_timed_out(host, warn),
        comment=get_text(host.attrib, "comment"),
        started_at=parse_timestamp(_get_time(host, "starttime", warn)),
        finished_at=parse_timestamp(_get_time(host, "endtime", warn)),
        details=details,
    )


def parse_addresses(parent: Element, warn: Warn) -> tuple[Address, ...]:
    """The address elements directly below. An empty one is left out."""
    elements = parent.findall("address")
    if not all(element.get("addr") for element in elements):
        warn("An address that says nothing was left out.")
    return tuple(
        Address(
            repair_utf8(addr),
            get_text(element.attrib, "addrtype") or "ipv4",
            get_text(element.attrib, "vendor"),
        )
        for element in elements
        if (addr := element.get("addr"))
    )


def parse_hostnames(parent: Element, warn: Warn) -> tuple[Hostname, ...]:
    """The host names. An empty one is left out."""
    elements = parent.findall("hostnames/hostname")
    if not all(element.get("name") for element in elements):
        warn("A host name that says nothing was left out.")
    return tuple(
        Hostname(repair_utf8(name), get_text(element.attrib, "type"))
        for element in elements
        if (name := element.get("name"))
    )


def parse_extraports(ports: Element, warn: Warn) -> Iterator[ExtraPorts]:
    for element in ports.iterfind("extraports"):
        reason_elements = element.iterfind("extrareasons")
        reasons = tuple(_parse_extra_reason(reason.attrib, warn) for reason in reason_elements)
        state = get_text(element.attrib, "state")
        count = get_count(element.attrib, "count", warn) or 0
        yield ExtraPorts(state, count, reasons)


def parse_port(element: Element, warn: Warn) -> Port | None:
    """The port. None: its number is missing or out of range."""
    number = parse_count(element.get("portid"))
    if number is None or number > MAX_PORT:
        warn(BAD_PORT)
        return None
    state = _attributes(element, "state")
    service = element.find("service")
    protocol = get_text(element.attrib, "protocol")
    if not protocol:
        warn(NO_PROTOCOL)
    return Port(
        protocol=protocol or "tcp",
        number=number,
        state=get_text(state, "state") or "unknown",
        reason=get_text(state, "reason"),
        reason_ttl=get_count(state, "reason_ttl", warn),
        reason_ip=get_text(state, "reason_ip"),
        owner=get_text(_attributes(element, "owner"), "name"),
        service=_parse_service(service, warn) if service is not None else None,
        scripts=parse_scripts(element, warn),
    )


def build_service(attributes: Attributes, cpe: tuple[str, ...], warn: Warn) -> Service:
    """The service with these attributes, whose UTF-8 is repaired already."""
    if not attributes.keys() <= SERVICE_ATTRIBUTES:
        warn(ATTRIBUTES)
    pairs = attributes.items()
    fields: dict[str, Any] = {name: value for name, value in pairs if name in SERVICE_ATTRIBUTES}
    for name, field in SERVICE_NUMBERS.items():
        if name in fields:
            fields.pop(name)
            fields[field] = get_count(attributes, name, warn)
    return Service(**fields, cpe=cpe)


def parse_details(host: Element, warn: Warn) -> dict[str, list[dict[str, Any]]]:
    """Every other element of the host, by tag: uptime, distance, trace, os, sequences …"""
    details: dict[str, list[dict[str, Any]]] = {}
    for child in host:
        if child.tag not in NAMED:
            details.setdefault(child.tag, []).append(to_data(child, warn))
    return details


def to_data(element: Element, warn: Warn, depth: int = 2) -> dict[str, Any]:
    """The element as data: its attributes, its text as `text`, and a list for each kind of child.

    Raises: TooDeep: the element's children are nested too deep.
    """
    if depth >= MAX_XML_DEPTH:
        raise TooDeep
    attributes = element.attrib.items()
    data: dict[str, Any] = {
        TEXT_ATTRIBUTE if name == "text" else name: repair_utf8(value) for name, value in attributes
    }
    if element.text and element.text.strip():
        data["text"] = repair_utf8(element.text)
    for child in element:
        children = data.setdefault(child.tag, [])
        if isinstance(children, list):
            children.append(to_data(child, warn, depth + 1))
        else:  # an attribute of the same name, which nmap.dtd never allows
            warn("An element called as an attribute beside it was left out.")
        if child.tail and not child.tail.isspace():
            warn(TEXT)
    return data


def get_text(attributes: Attributes, name: str) -> str:
    """The attribute's text, with its UTF-8 repaired. Empty: it is absent."""
    return repair_utf8(attributes.get(name, ""))


def get_count(attributes: Attributes, name: str, warn: Warn) -> int | None:
    """The attribute as a whole number from 0. None: absent, empty, or another text."""
    number = parse_count(attributes.get(name))
    if number is None and attributes.get(name):
        warn(BAD_NUMBER)
    return number


def _guess_state(ports: tuple[Port, ...], warn: Warn) -> str:
    """The state of a host without a status, as masscan writes it: up if a port is open."""
    if not any(port.state == "open" for port in ports):
        return "unknown"
    warn("Hosts without a status are taken to be up where a port is open.")
    return "up"


def _attributes(parent: Element, tag: str) -> Attributes:
    child = parent.find(tag)
    return {} if child is None else child.attrib


def _get_time(host: Element, name: str, warn: Warn) -> str:
    seconds = host.get(name, "")
    if seconds and parse_timestamp(seconds) is None:
        warn(BAD_TIME)
    return seconds


def _is_timed_out(host: Element, warn: Warn) -> bool:
    value = host.get("timedout", "false")
    if value not in ("true", "false"):
        warn("A host whose timedout is neither true nor false was taken not to have timed out.")
    return value == "true"


def _parse_ports(parent: Element, warn: Warn) -> Iterator[Port]:
    for element in parent.iterfind("port"):
        if port := parse_port(element, warn):
            yield port


def _parse_all_extraports(ports_elements: list[Element], warn: Warn) -> Iterator[ExtraPorts]:
    for element in ports_elements:
        yield from parse_extraports(element, warn)


def _parse_host_scripts(host: Element, warn: Warn) -> Iterator[Script]:
    for element in host.iterfind("hostscript"):
        yield from parse_scripts(element, warn)


def _parse_service(element: Element, warn: Warn) -> Service:
    check_content(element, SERVICE_CHILDREN, warn)
    attributes = {name: repair_utf8(value) for name, value in element.attrib.items()}
    cpe = tuple(repair_utf8(child.text) for child in element.iterfind("cpe") if child.text)
    return build_service(attributes, cpe, warn)


def _parse_extra_reason(attributes: Attributes, warn: Warn) -> ExtraReason:
    return ExtraReason(
        get_text(attributes, "reason"),
        get_count(attributes, "count", warn) or 0,
        get_text(attributes, "proto"),
        get_text(attributes, "ports"),
    )
