"""Write a Host as its `host` element, with children in nmap's order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cascan.model.host import Address, ExtraPorts, Host, Hostname, Port, Service
from cascan.model.report import HostHint
from cascan.nmap.report.tree.host import TEXT_ATTRIBUTE
from cascan.nmap.report.write.xml_escape import escape_xml, render_element, render_scripts

BEFORE_SCRIPTS = (
    "smurf",
    "os",
    "uptime",
    "distance",
    "tcpsequence",
    "ipidsequence",
    "tcptssequence",
)
AFTER_SCRIPTS = ("trace",)
LAST = ("times",)  # after the elements that are not in nmap.dtd
KNOWN = frozenset({*BEFORE_SCRIPTS, *AFTER_SCRIPTS, *LAST})
# Attributes of a service that are left out if their text is empty.
SERVICE_TEXTS = (
    "product",
    "version",
    "extrainfo",
    "hostname",
    "ostype",
    "devicetype",
    "servicefp",
    "tunnel",
    "proto",
)


def render_host(host: Host) -> str:
    """The element, with a line end."""
    attributes = {
        "starttime": _seconds(host.started_at),
        "endtime": _seconds(host.finished_at),
        "timedout": "true" if host.timed_out else None,
        "comment": host.comment or None,
    }
    inner = [
        render_status(host),
        render_addresses(host),
        render_hostnames(host, always=host.state == "up"),
        _ports_xml(host),
        *_details_xml(host, BEFORE_SCRIPTS),
        f"<hostscript>{render_scripts(host.scripts)}</hostscript>" if host.scripts else "",
        *_details_xml(host, AFTER_SCRIPTS),
        *_details_xml(host, [tag for tag in host.details if tag not in KNOWN]),
        *_details_xml(host, LAST),
    ]
    return f"{render_element('host', attributes, ''.join(inner))}\n"


def render_status(host: Host | HostHint) -> str:
    status = {"state": host.state, "reason": host.reason or None, "reason_ttl": host.reason_ttl}
    return f"{render_element('status', status, '')}\n"


def render_addresses(host: Host | HostHint) -> str:
    return "".join(map(_address_xml, host.addresses))


def render_hostnames(host: Host | HostHint, *, always: bool) -> str:
    """The names. Without names: an empty element if `always`, else nothing."""
    if not host.hostnames and not always:
        return ""
    names = "".join(map(_hostname_xml, host.hostnames))
    return f"<hostnames>\n{names}</hostnames>\n"


def _address_xml(address: Address) -> str:
    attributes = {
        "addr": address.addr,
        "addrtype": address.kind,
        "vendor": address.vendor or None,
    }
    return f"{render_element('address', attributes, '')}\n"


def _hostname_xml(hostname: Hostname) -> str:
    attributes = {"name": hostname.name, "type": hostname.kind or None}
    return f"{render_element('hostname', attributes, '')}\n"


def _ports_xml(host: Host) -> str:
    if not host.ports and not host.extraports:
        return ""
    extraports = "".join(map(_extraports_xml, host.extraports))
    ports = "".join(map(_port_xml, host.ports))
    return f"<ports>{extraports}{ports}</ports>\n"


def _extraports_xml(extra: ExtraPorts) -> str:
    reasons = "".join(
        render_element(
            "extrareasons",
            {
                "reason": reason.reason or None,
                "count": reason.count,
                "proto": reason.protocol or None,
                "ports": reason.ports or None,
            },
            "",
        )
        + "\n"
        for reason in extra.reasons
    )
    attributes: dict[str, str | int | None] = {"state": extra.state, "count": extra.count}
    return f"{render_element('extraports', attributes, reasons)}\n"


def _port_xml(port: Port) -> str:
    state = {
        "state": port.state,
        "reason": port.reason or None,
        "reason_ttl": port.reason_ttl,
        "reason_ip": port.reason_ip or None,
    }
    inner = render_element("state", state, "")
    if port.owner:
        inner += render_element("owner", {"name": port.owner}, "")
    if port.service is not None:
        inner += _service_xml(port.service)
    inner += render_scripts(port.scripts)
    return f"{render_element('port', {'protocol': port.protocol, 'portid': port.number}, inner)}\n"


def _service_xml(service: Service) -> str:
    texts: dict[str, str | None] = {name: getattr(service, name) or None for name in SERVICE_TEXTS}
    attributes: dict[str, str | int | None] = {
        "name": service.name,
        **texts,
        "rpcnum": service.rpcnum,
        "lowver": service.lowver,
        "highver": service.highver,
        "banner": service.banner or None,
        "method": service.method or None,
        "conf": service.confidence,
    }
    cpes = "".join([f"<cpe>{escape_xml(cpe)}</cpe>" for cpe in service.cpe])
    return render_element("service", attributes, cpes)


def _details_xml(host: Host, tags: Any) -> Iterator[str]:
    for tag in tags:
        for plain in host.details.get(tag, ()):
            yield f"{_plain_xml(tag, plain)}\n"


def _plain_xml(tag: str, plain: dict[str, Any]) -> str:
    """The element of generic data: see Host.details."""
    attributes = {
        "text" if name == TEXT_ATTRIBUTE else name: value
        for name, value in plain.items()
        if isinstance(value, str) and name != "text"
    }
    inner = escape_xml(plain.get("text", "")) if isinstance(plain.get("text"), str) else ""
    for name, children in plain.items():
        if isinstance(children, list):
            inner += "".join([f"{_plain_xml(name, child)}\n" for child in children])
    return render_element(tag, attributes, inner)


def _seconds(moment: datetime | None) -> str | None:
    return None if moment is None else str(int(moment.timestamp()))
