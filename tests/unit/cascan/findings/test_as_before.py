"""Where secureCodeBox's nmap parser was right, our findings are its findings, field by field, on real reports.

What it makes of a report is told here anew, in as few words as it takes: ports by their first host name, scripts by
the first port that is not closed (so they are compared at that port alone).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import defusedxml.ElementTree as DefusedET
import pytest

from cascan.findings import build_findings
from cascan.model.finding import Finding
from tests.data.reports import SCRIPTS, WHOLE, hosts, report
from tests.unit.cascan.findings.test_findings import NOW, SCAN

FTP = 21
RIGHT = ("open",)  # open|filtered and filtered were called open ports too: row N19
FROM_PARSER = ("name", "description", "category", "location", "osi_layer", "severity")


def as_before(xml: bytes) -> Iterator[dict[str, Any]]:
    """The findings that the parser makes, as far as they are right."""
    for host in DefusedET.fromstring(xml).iter("host"):
        if _state(host, "status") != "up":
            continue
        about = _about(host)
        ports = [p for p in host.iter("port") if _state(p, "state") != "closed"]
        for port in ports:
            if _state(port, "state") in RIGHT:
                yield _port(port, about)
        label = about["hostname"] or about["ip_addresses"][0]
        kept = {name: about[name] for name in ("ip_addresses", "hostname", "operating_system")}
        yield _finding((f"Host: {label}", "Found a host", "Host", label), kept)
        for script in ports[0].iter("script") if ports else ():
            yield from _script(script, int(ports[0].get("portid", "")), label)


def _state(element: ET.Element, tag: str) -> str:
    child = element.find(tag)
    return child.get("state", "") if child is not None else ""


def _about(host: ET.Element) -> dict[str, Any]:
    hostname, os = host.find("hostnames/hostname"), host.find("os/osmatch")
    return {
        "ip_addresses": [a.get("addr") for a in host.iter("address") if a.get("addrtype", "").startswith("ip")],
        "mac_address": next((a.get("addr") for a in host.iter("address") if a.get("addrtype") == "mac"), None),
        "hostname": hostname.get("name") if hostname is not None else None,
        "operating_system": os.get("name") if os is not None else None,
    }


def _port(port: ET.Element, about: dict[str, Any]) -> dict[str, Any]:
    number, protocol, said = int(port.get("portid", "")), port.get("protocol"), port.find("service")
    service = said.attrib if said is not None else {}
    name = service.get("name")
    label = about["hostname"] or about["ip_addresses"][0]
    where = f"[{label}]" if ":" in label else label
    return _finding(
        (
            f"Open Port: {number} ({name})" if name else f"Open Port: {number}",
            f"Port {number} is open using {protocol} protocol.",
            "Open Port",
            f"{protocol}://{where}:{number}",
        ),
        about
        | {
            "port": number,
            "state": "open",
            "protocol": protocol,
            "method": service.get("method"),
            "service": name,
            "serviceProduct": service.get("product"),
            "serviceVersion": service.get("version"),
            "scripts": {s.get("id"): _text(s.get("output", "")) for s in port.iter("script")} or None,
            "tunnel": service.get("tunnel", "none"),
        },
    )


def _script(script: ET.Element, number: int, label: str) -> Iterator[dict[str, Any]]:
    if script.get("id") == "ftp-anon":
        words = ("Anonymous FTP Login possible", f"Port {number} allows anonymous FTP login", "FTP")
        yield _finding((*words, f"ftp://{label}:{number}"), {"script": "ftp-anon"}, "MEDIUM")
    if script.get("id") == "banner":
        kind = "FTP" if number == FTP else "TCP"
        words = ("Server banner found", f"Port {number} displays banner", kind)
        attributes = {"script": "banner", "banner": _text(script.get("output", ""))}
        yield _finding((*words, f"{kind.lower()}://{label}:{number}"), attributes)


def _finding(words: tuple[str, ...], attributes: dict[str, Any], severity: str = "INFORMATIONAL") -> dict[str, Any]:
    """`words`: name, description, category, location."""
    return dict(zip(FROM_PARSER, (*words, "NETWORK", severity), strict=True)) | {"attributes": attributes}


def _text(written: str) -> str:
    """nmap writes a reference for each byte of UTF-8."""
    try:
        return written.encode("latin-1").decode()
    except UnicodeError:
        return written


def same(ours: Finding, before: dict[str, Any]) -> bool:
    fields = all(str(getattr(ours, name)) == before[name] for name in FROM_PARSER)
    return fields and before["attributes"].items() <= ours.attributes.items()


@pytest.mark.parametrize("name", [n for n in (*WHOLE, *SCRIPTS) if n not in ("bad-ports", "arguments")])
def test_n17_n18_n20_what_was_right_is_the_same_field_by_field(name: str) -> None:
    ours = [finding for host in hosts(name) for finding in build_findings(host, SCAN, NOW)]
    for before in as_before(report(name)):
        assert any(same(finding, before) for finding in ours), before


def test_the_comparison_meets_every_kind_of_finding() -> None:
    before = [finding for name in (*WHOLE, *SCRIPTS) if name != "arguments" for finding in as_before(report(name))]
    assert {finding["category"] for finding in before} == {"Open Port", "Host", "FTP", "TCP"}
    assert len(before) > 50
    assert {finding["attributes"].get("tunnel") for finding in before} == {None, "none", "ssl"}
