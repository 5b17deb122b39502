"""The host a finding is about: how it is called, where it is, and the ids its findings get."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.model.finding import Finding, Severity
from cascan.model.host import Host

NAMELESS = "unknown-address"  # secureCodeBox's word for a host without name and address


class Subject:
    """A host with the name its findings use. It is not changed.

    hostname    None where nobody gave it one
    address     the network address; the MAC address of a host that has no other
    label       the name, or the address where there is none
    authority   the label as it stands in a location: an IPv6 address in brackets
    attributes  what each finding says of the host. Source: secureCodeBox's nmap parser; `hostnames` is ours
    """

    __slots__ = (
        "address",
        "attributes",
        "authority",
        "host",
        "hostname",
        "label",
        "named_by_request",
        "parsed_at",
        "scan_id",
    )

    def __init__(
        self, host: Host, hostname: str | None, scan_id: str, parsed_at: datetime, named_by_request: bool = False
    ) -> None:
        addresses = [address.addr for address in host.addresses if address.kind != "mac"]
        network, mac = addresses[0] if addresses else "", host.mac if len(addresses) < len(host.addresses) else ""
        names = [hostname.name for hostname in host.hostnames]
        self.host = host
        self.hostname = hostname
        self.scan_id = scan_id
        self.parsed_at = parsed_at
        self.named_by_request = named_by_request
        self.address = network or mac or NAMELESS
        self.label = hostname or self.address
        self.authority = f"[{self.label}]" if ":" in network and not hostname else self.label
        self.attributes: dict[str, Any] = {
            "ip_addresses": addresses,
            "mac_address": mac or None,
            "hostname": hostname,
            "hostnames": list(dict.fromkeys(names)) if len(names) > 1 else names,
            "operating_system": host.os_matches[0].name if host.os_matches else None,
        }

    @classmethod
    def of(cls, host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str]) -> Self:
        named = bool(names) and any(names.get(address.addr) for address in host.addresses)
        return cls(host, host.find_name(names) or None, scan_id, parsed_at, named)

    @property
    def asked_name(self) -> str | None:
        """The name that the scan was asked for; None: it was asked by address, or the name is from reverse DNS."""
        if self.named_by_request or ("user", self.hostname) in [(h.kind, h.name) for h in self.host.hostnames]:
            return self.hostname
        return None

    def location(self, scheme: str, port: int) -> str:
        """`tcp://host:22`; an IPv6 address stands in brackets."""
        return f"{scheme}://{self.authority}:{port}"

    def finding(
        self,
        *about: str,
        name: str,
        description: str,
        category: str,
        location: str,
        attributes: dict[str, Any],
        severity: Severity = Severity.INFORMATIONAL,
    ) -> Finding:
        """A finding of this host. `about` tells it from the host's other findings of the category, in any scan."""
        fingerprint = derive_fingerprint(category, self.address, *about)
        return Finding(
            id=derive_finding_id(self.scan_id, fingerprint),
            fingerprint=fingerprint,
            parsed_at=self.parsed_at,
            name=name,
            description=description,
            category=category,
            severity=severity,
            osi_layer="NETWORK",
            location=location,
            attributes=self.attributes | attributes,
        )
