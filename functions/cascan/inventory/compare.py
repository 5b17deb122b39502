"""Compare two scans by their reports alone, whatever other scans there were before and in between.

The earlier scan is read first, into records in memory. The later one is compared with them, as
on_report_stored compares each report with the inventory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import IO

from cascan.inventory.changes import apply_observation
from cascan.inventory.coverage import ScannedPorts, accounts_for_all
from cascan.inventory.observations import (
    Absence,
    interpret_absence,
    names_by_address,
    observe_absence,
    observe_host,
)
from cascan.inventory.scanned_addresses import ScannedAddresses
from cascan.model.host import Host
from cascan.model.inventory import NOT_UP, Change, HostRecord, Observation, Sighting
from cascan.model.shard import Shard
from cascan.nmap.intervals import Interval
from cascan.nmap.report.read import read_report

LONG_AGO = datetime.min.replace(tzinfo=UTC)  # a run without an end


class Comparison:
    """Takes the reports of one scan after those of an earlier one."""

    def __init__(self) -> None:
        self._records: dict[str, HostRecord] = {}
        # Family, addresses, when they were scanned
        self._scanned: list[tuple[int, Interval, Sighting]] = []

    def add(self, shard: Shard, report: IO[bytes]) -> Iterator[Change]:
        """What the shard's report changes. Raises: UnreadableReport."""
        scanned, seen_at = ScannedAddresses.from_shard(shard), _ended(shard)
        names = names_by_address(shard.run)
        reader, reported, states = read_report(report), set[int](), Counter[str]()
        for host in reader:
            states[host.state] += 1
            ports = ScannedPorts.from_scaninfo(reader.scaninfo)
            observation = observe_host(host, ports, shard.scan_id, seen_at, names)
            reported.update(_numbers(host))
            if observation and scanned.names_for(observation.address):
                yield from self._apply(observation)
        if not accounts_for_all(shard.run, reader):
            return
        absence = interpret_absence(
            counted_up=reader.hosts_up, elements_up=states["up"], elements_unasked=states["unknown"]
        )
        if absence is not Absence.NOT_UP:
            return
        yield from self._add_absent(shard, scanned, reported)
        not_up = Sighting(state=NOT_UP, seen_at=seen_at, scan_id=shard.scan_id)
        self._scanned += [(scanned.family, interval, not_up) for interval in scanned.intervals()]

    def _add_absent(
        self,
        shard: Shard,
        scanned: ScannedAddresses,
        reported: set[int],
    ) -> Iterator[Change]:
        for address in list(self._records):
            if int(ip_address(address)) not in reported and scanned.names_for(address):
                yield from self._apply(observe_absence(address, shard.scan_id, _ended(shard)))

    def _apply(self, observation: Observation) -> Iterable[Change]:
        record = self._records.get(observation.address)
        last_scanned = None if record else self._last_scanned(observation.address)
        updated, changes = apply_observation(record, observation, last_scanned)
        if updated:
            self._records[observation.address] = updated
        return changes

    def _last_scanned(self, address: str) -> Sighting | None:
        parsed = ip_address(address)
        sightings = (
            sighting
            for family, (low, high), sighting in self._scanned
            if family == parsed.version and low <= int(parsed) <= high
        )
        return max(sightings, key=lambda sighting: sighting.order, default=None)


def _ended(shard: Shard) -> datetime:
    return (shard.run and shard.run.finished_at) or LONG_AGO


def _numbers(host: Host) -> Iterator[int]:
    for address in host.addresses:
        if address.kind != "mac":
            with suppress(ValueError):
                yield int(ip_address(address.addr))
