"""The host that findings are about: its name, its address, and the ids of its findings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.model.finding import Finding, Severity
from cascan.model.host import Host

NAMELESS = "unknown-address"  # secureCodeBox's term for a host without name and address


class Subject:
    """A host, with the name that its findings use. Immutable.

    hostname    None if the host has no name
    address     the network address, or the MAC address of a host without one
    label       the name, or the address of a host without a name
    authority   the label as locations have it: an IPv6 address is in brackets
    attributes  those of all findings of the host

    Source of the attributes: secureCodeBox's nmap parser; `hostnames` is ours.
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
        self,
        host: Host,
        hostname: str | None,
        scan_id: str,
        parsed_at: datetime,
        named_by_request: bool = False,
    ) -> None:
        addresses, mac = _split_addresses(host)
        network_address = next(iter(addresses), "")
        self.host = host
        self.hostname = hostname
        self.scan_id = scan_id
        self.parsed_at = parsed_at
        self.named_by_request = named_by_request
        self.address = network_address or mac or NAMELESS
        self.label = hostname or self.address
        needs_brackets = ":" in network_address and not hostname
        self.authority = f"[{self.label}]" if needs_brackets else self.label
        self.attributes: dict[str, Any] = {
            "ip_addresses": addresses,
            "mac_address": mac or None,
            "hostname": hostname,
            "hostnames": _distinct_names(host),
            "operating_system": host.os_matches[0].name if host.os_matches else None,
        }

    @classmethod
    def of(cls, host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str]) -> Self:
        named = bool(names) and any(names.get(address.addr) for address in host.addresses)
        return cls(host, host.find_name(names) or None, scan_id, parsed_at, named)

    @property
    def asked_name(self) -> str | None:
        """The name that the request contains.

        None: the request has the address, or the name is from reverse DNS.
        """
        user_names = [name.name for name in self.host.hostnames if name.kind == "user"]
        return self.hostname if self.named_by_request or self.hostname in user_names else None

    def location(self, scheme: str, port: int) -> str:
        """`tcp://host:22`, `tcp://[2001:db8::1]:22`."""
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
        """A finding of this host.

        `about` distinguishes it from the host's other findings of the category. It must be the same
        in every scan.
        """
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


def _split_addresses(host: Host) -> tuple[list[str], str]:
    """The network addresses, and the MAC address or an empty text."""
    addresses = [address.addr for address in host.addresses if address.kind != "mac"]
    return addresses, host.mac if len(addresses) < len(host.addresses) else ""


def _distinct_names(host: Host) -> list[str]:
    names = [hostname.name for hostname in host.hostnames]
    return list(dict.fromkeys(names)) if len(names) > 1 else names
