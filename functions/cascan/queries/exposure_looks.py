"""The stored inventory and history as the source of an exposure check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cascan.exposure.asked_ports import AskedPorts, HostPort, KnownHost
from cascan.exposure.check import SeenState, has_enough, select_states
from cascan.inventory.looks import find_service, find_state
from cascan.limits import EXPOSURE_LOOKS_DAYS
from cascan.model.history import HOST_NOT_UP, Look
from cascan.model.inventory import NOT_UP, HostRecord, InventoryQuery, PortKey, PortRecord, Sighting
from cascan.nmap.addresses import find_network
from cascan.queries.history import Past


@dataclass
class StoredLooks:
    """Of a port without a look in the last EXPOSURE_LOOKS_DAYS, the inventory's sighting counts."""

    past: Past
    _sightings: dict[HostPort, Sighting] = field(default_factory=dict)

    def list_hosts(self, vantage: str) -> Iterator[KnownHost]:
        self._sightings.clear()
        for record in self.past.hosts(InventoryQuery(was_open=True), vantage=vantage):
            for port in record.ports:
                self._sightings[record.address, port.key] = _choose_sighting(record, port)
            yield KnownHost(
                address=record.address,
                is_up=record.is_up,
                names=(record.asked_name,) if record.asked_name else (),
                opened=frozenset(port.key for port in record.ports),
            )

    def find_states(
        self, vantage: str, asked: AskedPorts, service_ports: Set[HostPort], at: datetime
    ) -> Mapping[HostPort, tuple[SeenState, ...]]:
        found: dict[HostPort, tuple[SeenState, ...]] = {}
        for ports in _by_network(asked.ports):
            for endpoint, states in self._collect(vantage, ports, service_ports, at).items():
                found[endpoint] = select_states(states, with_service=endpoint in service_ports)
        for endpoint, sighting in self._sightings.items():
            if endpoint not in found:
                found[endpoint] = (_to_seen(sighting),)
        return found

    def _collect(
        self, vantage: str, ports: Mapping[str, Set[PortKey]], service_ports: Set[HostPort], at: datetime
    ) -> dict[HostPort, list[SeenState]]:
        """The states of ports of one network, the newest first, until older ones do not matter."""
        waiting = {address: set(keys) for address, keys in ports.items()}
        collected: defaultdict[HostPort, list[SeenState]] = defaultdict(list)
        since = at - timedelta(days=EXPOSURE_LOOKS_DAYS)
        for look in self.past.looks_until(waiting.keys(), at, since=since, vantage=vantage):
            for key in list(waiting.get(look.address, ())):
                seen = to_seen_state(look, key)
                if seen is None:
                    continue
                endpoint = look.address, key
                collected[endpoint].append(seen)
                if has_enough(collected[endpoint], with_service=endpoint in service_ports):
                    waiting[look.address].discard(key)
            if look.address in waiting and not waiting[look.address]:
                del waiting[look.address]
                if not waiting:
                    break
        return collected


def to_seen_state(look: Look, key: PortKey) -> SeenState | None:
    """The port's state in the look; None: the look did not cover the port."""
    state = find_state(look, key)
    if state is None:
        return None
    service = find_service(look, key)
    return SeenState(
        state=state,
        seen_at=look.seen_at,
        scan_id=look.scan_id,
        service=service.name if service and service.probed else "",
    )


def _choose_sighting(record: HostRecord, port: PortRecord) -> Sighting:
    """The newer one of the port's own and that of the host being gone."""
    if record.is_up or record.latest.order < port.latest.order:
        return port.latest
    return record.latest


def _to_seen(sighting: Sighting) -> SeenState:
    return SeenState(
        state=HOST_NOT_UP if sighting.state == NOT_UP else sighting.state,
        seen_at=sighting.seen_at,
        scan_id=sighting.scan_id,
        service=sighting.service if sighting.probed else "",
    )


def _by_network(ports: Mapping[str, Set[PortKey]]) -> Iterator[dict[str, Set[PortKey]]]:
    """The ports of hosts that share a network, as looks are asked for together."""
    networks: defaultdict[tuple[int, int], dict[str, Set[PortKey]]] = defaultdict(dict)
    for address, keys in ports.items():
        networks[find_network(address)][address] = keys
    yield from networks.values()
