"""The host a finding is about: how it is called, where it is, and the ids its findings get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from cascan.ids import finding_id_of, fingerprint_of
from cascan.model.finding import Finding, Severity
from cascan.model.host import Host

NAMELESS = "unknown-address"  # secureCodeBox's word for a host without name and address


@dataclass(frozen=True)
class Subject:
    """A host with the name its findings use. `hostname` is None where nobody gave it one."""

    host: Host
    hostname: str | None
    scan_id: str
    parsed_at: datetime
    named_by_request: bool = False

    @classmethod
    def of(cls, host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str]) -> Subject:
        named = bool(names) and any(names.get(address.addr) for address in host.addresses)
        return cls(host, host.called(names) or None, scan_id, parsed_at, named)

    @property
    def asked_name(self) -> str | None:
        """The name that the scan was asked for; None: it was asked by address, or the name is from reverse DNS."""
        asked = self.named_by_request or any(h.kind == "user" and h.name == self.hostname for h in self.host.hostnames)
        return self.hostname if asked else None

    @cached_property
    def address(self) -> str:
        """The network address; the MAC address of a host that has no other."""
        return self.host.address or self.host.mac or NAMELESS

    @property
    def label(self) -> str:
        """The name, or the address where there is none."""
        return self.hostname or self.address

    def location(self, scheme: str, port: int) -> str:
        """`tcp://host:22`; an IPv6 address stands in brackets."""
        bare_ipv6 = not self.hostname and ":" in self.host.address
        return f"{scheme}://[{self.label}]:{port}" if bare_ipv6 else f"{scheme}://{self.label}:{port}"

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What each finding says of the host. Source: secureCodeBox's nmap parser; `hostnames` is ours."""
        return {
            "ip_addresses": [address.addr for address in self.host.addresses if address.kind != "mac"],
            "mac_address": self.host.mac or None,
            "hostname": self.hostname,
            "hostnames": list(dict.fromkeys(hostname.name for hostname in self.host.hostnames)),
            "operating_system": self.host.os_matches[0].name if self.host.os_matches else None,
        }

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
        fingerprint = fingerprint_of(category, self.address, *about)
        return Finding(
            id=finding_id_of(self.scan_id, fingerprint),
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
