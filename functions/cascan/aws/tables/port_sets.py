"""Sets of ports that many hosts share, stored once under a digest that the records refer to."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import unpack_text
from cascan.aws.tables.inventory_items import REFERENCE, SHORT_PORTS, digest_ports, port_set_key
from cascan.model.inventory import HostRecord, PortCoverage

MAX_PORT_SETS = 1_000  # kept in memory; most scans have one


class PortSets:
    def __init__(self, table: DynamoTable) -> None:
        self._table = table
        self._ports: dict[str, str] = {}  # by digest, those read or written lately

    def replace_ports(self, record: HostRecord) -> HostRecord:
        """The record with long sets of ports replaced by references. The sets are stored first."""
        return _with_ports(record, self._to_reference)

    def resolve_ports(self, record: HostRecord) -> HostRecord:
        """The record with references replaced by their ports; by none if the set is missing."""
        return _with_ports(record, self._from_reference)

    def _to_reference(self, coverage: PortCoverage) -> str:
        return self.refer(coverage.ports) if coverage.common else coverage.ports

    def _from_reference(self, coverage: PortCoverage) -> str:
        return self.resolve(coverage.ports)

    def refer(self, ports: str) -> str:
        """A reference to the list of ports, which is stored first; a short list itself."""
        if len(ports) <= SHORT_PORTS:
            return ports
        digest = digest_ports(ports)
        if digest not in self._ports:
            self._table.put(port_set_key(digest) | {"body": {"S": ports}})
            self._remember(digest, ports)
        return REFERENCE + digest

    def resolve(self, ports: str) -> str:
        """The list of ports that the text refers to, or is; none if the set is missing."""
        if not ports.startswith(REFERENCE):
            return ports
        digest = ports[1:]
        if digest not in self._ports:
            item = self._table.get(port_set_key(digest))
            self._remember(digest, str(unpack_text(item["body"])) if item else "")
        return self._ports[digest]

    def _remember(self, digest: str, ports: str) -> None:
        if len(self._ports) >= MAX_PORT_SETS:
            self._ports.clear()
        self._ports[digest] = ports


def _with_ports(record: HostRecord, ports: Callable[[PortCoverage], str]) -> HostRecord:
    coverage = tuple(replace(entry, ports=ports(entry)) for entry in record.coverage)
    return replace(record, coverage=coverage)
