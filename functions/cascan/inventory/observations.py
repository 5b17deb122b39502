"""A host in a report → the observation of its address, which the inventory is updated with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum, auto

from cascan.inventory.coverage import CLOSED_STATES, ScannedPorts, unlisted_ports
from cascan.limits import MAX_SERVICE_CHARS
from cascan.model.host import Host, Port, Service
from cascan.model.inventory import OPEN, Observation, PortKey, Sighting, Unlisted
from cascan.model.shard import NmapRun
from cascan.nmap.addresses import parse_address

ASSUMED_UP = "user-set"  # the reason of a host that -Pn declares up without a probe
ANSWERS = frozenset({"open", "closed", "unfiltered"})  # states of a port that gave an answer
# nmap's name for a connection that was closed before any data: not a service
SILENT_SERVICE = "tcpwrapped"


class Absence(Enum):
    """What it means that a whole report has no host element for an address that was scanned."""

    NOT_UP = auto()
    UNKNOWN = auto()  # some of those without an element were up, or no probe was sent


def interpret_absence(
    *,
    counted_up: int | None,
    elements_up: int,
    elements_unasked: int,
) -> Absence:
    """Compares nmap's own count of hosts that are up with the host elements, whatever the options
    were.

    With --open nmap leaves out hosts that are up and have no open port, but counts them: as long as
    there is one, no absent address can be said to be down. A list scan (-sL) sends no probe: its
    elements are of unknown state.
    """
    unlisted_up = (counted_up or 0) > elements_up
    return Absence.UNKNOWN if unlisted_up or elements_unasked else Absence.NOT_UP


def observe_host(
    host: Host,
    scanned: ScannedPorts,
    scan_id: str,
    seen_at: datetime,
    names: Mapping[str, str] | None = None,
) -> Observation | None:
    """What the report says of the host's address; None of a host without a valid address.

    `names`, address → name, is the name that the request used for an address; it wins over reverse
    DNS.
    """
    try:
        address = str(parse_address(host.address))
    except ValueError:
        return None
    is_up = _is_up(host)
    ports = dict(_ports(host, scanned, scan_id, seen_at)) if host.state == "up" else {}
    return Observation(
        address=address,
        seen_at=seen_at,
        scan_id=scan_id,
        up=is_up,
        hostname=host.find_name(names or {}),
        asked_name=host.find_asked_name(names or {}),
        ports=ports,
        unlisted=_list_closed_groups(host),
        coverage=scanned.build_coverage(host, seen_at, scan_id) if host.state == "up" else (),
    )


def _list_closed_groups(host: Host) -> tuple[Unlisted, ...]:
    groups = unlisted_ports(host)
    return tuple(group for group in groups if group.ports and group.state in CLOSED_STATES)


def names_by_address(run: NmapRun | None) -> dict[str, str]:
    """The names that were looked up for the run's addresses, by address."""
    if run is None:
        return {}
    names = {}
    for name, addresses in run.resolved.items():
        looked_up = run.asked_as.get(name, name)
        names.update(dict.fromkeys(addresses, looked_up))
    return names


def observe_absence(address: str, scan_id: str, seen_at: datetime) -> Observation:
    """The observation of a scanned address that a complete report does not mention: not up."""
    return Observation(address=address, seen_at=seen_at, scan_id=scan_id, up=False)


def _is_up(host: Host) -> bool | None:
    """Whether the host is up; None: unknown. -Pn calls every host up: then an answer from a port
    has to prove it.
    """
    if host.state != "up":
        return False if host.state == "down" else None
    if host.reason != ASSUMED_UP:
        return True
    states = {port.state for port in host.ports}
    states |= {extra.state for extra in host.extraports if extra.count}
    return True if states & ANSWERS else None


def _ports(
    host: Host,
    scanned: ScannedPorts,
    scan_id: str,
    seen_at: datetime,
) -> Iterator[tuple[PortKey, Sighting]]:
    for port in host.ports:
        is_open = port.state == OPEN and port.protocol not in scanned.guessed
        conclusive = scanned.conclusive.get(port.protocol, ())
        is_closed = port.state in CLOSED_STATES and port.number in conclusive
        if is_open or is_closed:
            yield (port.protocol, port.number), _sighting(port, scan_id, seen_at)


def _sighting(port: Port, scan_id: str, seen_at: datetime) -> Sighting:
    service = (port.service if port.state == OPEN else None) or Service()
    return Sighting(
        state=port.state,
        seen_at=seen_at,
        scan_id=scan_id,
        service=service.common_name[:MAX_SERVICE_CHARS],
        product=service.product[:MAX_SERVICE_CHARS],
        version=service.version[:MAX_SERVICE_CHARS],
        probed=service.method == "probed" and service.name != SILENT_SERVICE,
    )
