"""A host as nmap saw it → sightings for the inventory: what was open, or closed, where and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from cascan.model.host import Host, Service
from cascan.model.inventory import Sighting


def sightings_of(
    host: Host, scan_id: str, seen_at: datetime, names: Mapping[str, str] | None = None
) -> Iterator[Sighting]:
    """One sighting per listed port, in any state, of a host that is up and has a network address.

    `names`, address → name, says under which name the request asked for an address; it wins over reverse DNS.
    """
    if host.state != "up" or not host.address:
        return
    hostname = host.called(names or {})
    for port in host.ports:
        service = port.service or Service()
        yield Sighting(
            address=host.address,
            protocol=port.protocol,
            port=port.number,
            state=port.state,
            seen_at=seen_at,
            scan_id=scan_id,
            service=service.known_as,
            product=service.product,
            version=service.version,
            hostname=hostname,
        )
