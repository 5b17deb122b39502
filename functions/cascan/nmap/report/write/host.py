"""A Host → its `host` element, children in nmap's order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cascan.model.host import ExtraPorts, Host, Port, Service
from cascan.model.report import HostHint
from cascan.nmap.report.tree.host import TEXT_ATTRIBUTE
from cascan.nmap.report.write.xml_escape import element, escaped, scripts_xml

BEFORE_SCRIPTS = ("smurf", "os", "uptime", "distance", "tcpsequence", "ipidsequence", "tcptssequence")
AFTER_SCRIPTS = ("trace",)
LAST = ("times",)  # behind whatever nmap.dtd does not know


def host_xml(host: Host) -> str:
    """The element, with the line's end."""
    attributes = {
        "starttime": _seconds(host.started_at),
        "endtime": _seconds(host.finished_at),
        "timedout": "true" if host.timed_out else None,
        "comment": host.comment or None,
    }
    inner = [
        status_xml(host),
        addresses_xml(host),
        hostnames_xml(host, always=host.state == "up"),
        _ports_xml(host),
        *_details_xml(host, BEFORE_SCRIPTS),
        f"<hostscript>{scripts_xml(host.scripts)}</hostscript>" if host.scripts else "",
        *_details_xml(host, AFTER_SCRIPTS),
        *_details_xml(host, [tag for tag in host.details if tag not in (*BEFORE_SCRIPTS, *AFTER_SCRIPTS, *LAST)]),
        *_details_xml(host, LAST),
    ]
    return f"{element('host', attributes, ''.join(inner))}\n"


def status_xml(host: Host | HostHint) -> str:
    status = {"state": host.state, "reason": host.reason or None, "reason_ttl": host.reason_ttl}
    return f"{element('status', status, '')}\n"


def addresses_xml(host: Host | HostHint) -> str:
    return "".join(
        f"{element('address', {'addr': a.addr, 'addrtype': a.kind, 'vendor': a.vendor or None}, '')}\n"
        for a in host.addresses
    )


def hostnames_xml(host: Host | HostHint, *, always: bool) -> str:
    """The names; where there are none, an empty element or nothing."""
    if not host.hostnames and not always:
        return ""
    names = "".join(
        f"{element('hostname', {'name': name.name, 'type': name.kind or None}, '')}\n" for name in host.hostnames
    )
    return f"<hostnames>\n{names}</hostnames>\n"


def _ports_xml(host: Host) -> str:
    if not host.ports and not host.extraports:
        return ""
    return f"<ports>{''.join(map(_extraports_xml, host.extraports))}{''.join(map(_port_xml, host.ports))}</ports>\n"


def _extraports_xml(extra: ExtraPorts) -> str:
    reasons = "".join(
        element(
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
    return f"{element('extraports', {'state': extra.state, 'count': extra.count}, reasons)}\n"


def _port_xml(port: Port) -> str:
    state = {
        "state": port.state,
        "reason": port.reason or None,
        "reason_ttl": port.reason_ttl,
        "reason_ip": port.reason_ip or None,
    }
    inner = element("state", state, "")
    if port.owner:
        inner += element("owner", {"name": port.owner}, "")
    if port.service is not None:
        inner += _service_xml(port.service)
    inner += scripts_xml(port.scripts)
    return f"{element('port', {'protocol': port.protocol, 'portid': port.number}, inner)}\n"


def _service_xml(service: Service) -> str:
    attributes = {
        "name": service.name,
        "product": service.product or None,
        "version": service.version or None,
        "extrainfo": service.extrainfo or None,
        "hostname": service.hostname or None,
        "ostype": service.ostype or None,
        "devicetype": service.devicetype or None,
        "servicefp": service.servicefp or None,
        "tunnel": service.tunnel or None,
        "proto": service.proto or None,
        "rpcnum": service.rpcnum,
        "lowver": service.lowver,
        "highver": service.highver,
        "banner": service.banner or None,
        "method": service.method or None,
        "conf": service.confidence,
    }
    return element("service", attributes, "".join([f"<cpe>{escaped(cpe)}</cpe>" for cpe in service.cpe]))


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
    inner = escaped(plain.get("text", "")) if isinstance(plain.get("text"), str) else ""
    for name, children in plain.items():
        if isinstance(children, list):
            inner += "".join([f"{_plain_xml(name, child)}\n" for child in children])
    return element(tag, attributes, inner)


def _seconds(moment: datetime | None) -> str | None:
    return None if moment is None else str(int(moment.timestamp()))
